"""Ids hold the name of their file, so two files of one name cannot be read together, whatever the reader."""

import json
from pathlib import Path

import pytest

from probes.corpus import READERS
from probes.errors import CorpusError

FILES = {
    "columns": ("train.txt", "a A B-X\n"),
    "edges": ("train.jsonl", json.dumps({"text": "a b", "targets": []}) + "\n"),
    "plain": ("part.txt", "a\n"),
    "questions": ("train.txt", "A:b q\n"),
}


@pytest.mark.parametrize("reader", FILES)
def test_files_of_one_name_are_refused(reader: str, tmp_path: Path):
    name, text = FILES[reader]
    first, second = tmp_path / "a" / name, tmp_path / "b" / name
    for file in (first, second):
        file.parent.mkdir()
        file.write_text(text)
    with pytest.raises(CorpusError) as caught:
        READERS[reader](str(tmp_path / "*" / name))
    assert str(caught.value) == (
        f"{second}:1: Expected an id of its own, but came '{Path(name).stem}-1', which stands at {first}:1 too. "
        "Give each file a name of its own."
    )
