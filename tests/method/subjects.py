"""Subjects of methods whose states and labels are given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from probes.config import Run, parse
from probes.method import Subject
from probes.types import Corpus, Sentence
from tests.toy import make_cache


def make_subject(
    folder: Path, states: Mapping[str, np.ndarray], labels: Mapping[str, Sequence[int]], **settings: Any
) -> Subject:
    """Sentences with given states [layer, row, dim] and labels; five sentences are a document."""
    names = "abcdefgh"
    splits = {
        split: tuple(
            Sentence(
                f"{split}-{row}", text=f"text {row}", group=f"{split}-{row // 5}", attributes={"label": names[one]}
            )
            for row, one in enumerate(part)
        )
        for split, part in labels.items()
    }
    given = {"corpus": {"reader": "python"}, "task": {"name": "label"}, **settings}
    return Subject(parse(Run, given, where="test"), Corpus("toy", splits), given=make_cache(folder, states))
