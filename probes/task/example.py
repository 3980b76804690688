"""Examples as tasks collect them, and the task that is made of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from probes.task.join import TRAIN
from probes.types import RowIndex, Rows, Sentence, Task, Unit


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a split."""

    rows: tuple[int, ...]
    """Its rows of the cache, one for each slot."""
    sentence: Sentence
    label: str
    word: int | str = -1
    """The unit that recurs: a row whose type counts, or a name; -1 where nothing recurs."""
    surface: Mapping[str, int] = field(default_factory=dict)
    text: str | None = None


Examples = Mapping[str, Sequence[Example]]


def make_task(
    name: str, unit: Unit, indexes: Mapping[str, RowIndex], examples: Examples, *, min_support: int = 0, **fields: Any
) -> Task:
    """A task from the examples of each split; names of labels in alphabetical order.

    Examples of a label that train has fewer than `min_support` times are left out and counted.
    """
    support = Counter(example.label for example in examples.get(TRAIN, ()))
    kept = {
        split: [example for example in part if support[example.label] >= min_support]
        for split, part in examples.items()
    }
    left_out = {split: len(examples[split]) - len(part) for split, part in kept.items()}
    names = tuple(sorted({example.label for part in kept.values() for example in part}))
    codes = {label: code for code, label in enumerate(names)}
    units = _number(example.word for part in kept.values() for example in part if isinstance(example.word, str))
    splits = {split: _make_rows(part, codes, units, indexes[split]) for split, part in kept.items()}
    if any(left_out.values()):
        fields["left_out"] = left_out
    return Task(name=name, unit=unit, labels=names, splits=splits, **fields)


def _make_rows(part: Sequence[Example], codes: Mapping[str, int], units: Mapping[str, int], index: RowIndex) -> Rows:
    clusters = [example.sentence.cluster for example in part]
    groups = _number(sorted(set(clusters)))
    genres = np.asarray([example.sentence.attributes.get("genre", "") for example in part])
    return Rows(
        index=np.asarray([example.rows for example in part], dtype=np.int64).reshape(len(part), -1 if part else 1),
        labels=_array(codes[example.label] for example in part),
        groups=_array(groups[cluster] for cluster in clusters),
        words=_array(_code(example.word, units, index) for example in part),
        surface={key: _array(example.surface[key] for example in part) for key in (part[0].surface if part else ())},
        texts=_texts(part),
        subsets={f"genre:{genre}": genres == genre for genre in np.unique(genres).tolist() if genre},
    )


def _texts(part: Sequence[Example]) -> tuple[str, ...] | None:
    texts = tuple(example.text for example in part if example.text is not None)
    return texts if part and len(texts) == len(part) else None


def _code(word: int | str, units: Mapping[str, int], index: RowIndex) -> int:
    if isinstance(word, str):
        return units[word]
    return int(index.types[word]) if word >= 0 else -1


def _number(names: Any) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def _array(values: Any) -> np.ndarray:
    return np.fromiter(values, dtype=np.int64)
