"""What is not a table: each is one whole message, with its line where there is one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import huggingface_hub
import pyarrow
import pyarrow.parquet
import pytest

from probes.corpus.table import read_table
from probes.errors import CorpusError

ROWS = [{"text": "a dog , it runs", "label": "1"}, {"text": '"so" it is', "label": "NA"}, {"text": "é", "label": "007"}]

Content = str | bytes | list[dict[str, Any]] | pyarrow.Table


def read(path: Path, content: Content, **options: Any) -> None:
    """Read a file that holds this text, these bytes, or rows in the format that its suffix says."""
    if isinstance(content, list) and path.suffix == ".jsonl":
        content = "".join(json.dumps(row) + "\n" for row in content)
    if isinstance(content, list):
        content = pyarrow.Table.from_pylist(content)
    if isinstance(content, pyarrow.Table):
        pyarrow.parquet.write_table(content, path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    read_table(str(path), **options)


TEXT_COLUMN = "Set the option 'text' to the column that is meant."
FILL = "Fill it, or remove the row."
COLUMNS = "Give each row the columns of the first line, blank rows too."
LABEL = "Label the row, or remove it."
QUOTE = "Quote fields that hold quotes, commas or line breaks, and write each quote in them twice."
HEADER = "Expected names of columns, but came none. Write them into the first line."
NO_ROWS = "Expected rows, but came a file without any. Fill the file, or remove it."
ROUND = "Round the numbers or bin them, and write classes as text or whole numbers."
TYPE = "Fill it, or correct its type."
HEAD = "text\tlabel\n"
WRONG: Mapping[str, tuple[str, Content, str]] = {
    "empty tsv": ("tsv", "", f"1: {HEADER}"),
    "empty csv": ("csv", "", f"1: {HEADER}"),
    "blank header": ("tsv", "\na\t0\n", f"1: {HEADER}"),
    "blank header of csv": ("csv", "\na,0\n", f"1: {HEADER}"),
    "header only": ("tsv", HEAD, f"1: {NO_ROWS}"),
    "header of csv only": ("csv", "text,label", f"1: {NO_ROWS}"),
    "parquet without rows": ("parquet", pyarrow.table({"text": [], "label": []}), f"1: {NO_ROWS}"),
    "column twice": (
        "tsv",
        "text\tlabel\ttext\na\t0\tb\n",
        "1: Expected each column once, but came 'text' twice. Rename one of the columns.",
    ),
    "unknown column": (
        "tsv",
        "label\ttexts\n0\ta\n",
        f"2: Expected a column 'text', but came 'texts', 'label'. {TEXT_COLUMN}",
    ),
    "unknown column of parquet": (
        "parquet",
        [{"label": 0, "texts": "a"}],
        f"1: Expected a column 'text', but came 'texts', 'label'. {TEXT_COLUMN}",
    ),
    "unknown key": (
        "jsonl",
        [*ROWS, {"text": "a", "lable": "0"}],
        "4: Expected a column 'label', but came 'lable', 'text'. Set the option 'label' to the column that is meant.",
    ),
    "too many": ("tsv", HEAD + "a\t0\t1\n", f"2: Expected 2 columns, but came 3 in ['a', '0', '1']. {COLUMNS}"),
    "too few": ("tsv", HEAD + "a\t0\nb\n", f"3: Expected 2 columns, but came 1 in ['b']. {COLUMNS}"),
    "blank line": ("tsv", HEAD + "a\t0\n\n", f"3: Expected 2 columns, but came 1 in ['']. {COLUMNS}"),
    "blank line of csv": ("csv", "text,label\n\na,0\n", f"2: Expected 2 columns, but came 0 in []. {COLUMNS}"),
    "counted below a line break": (
        "csv",
        'text,label\n"a\nb",0\nc\n',
        f"4: Expected 2 columns, but came 1 in ['c']. {COLUMNS}",
    ),
    "open quote": (
        "csv",
        'text,label\na,0\n"b\nc,0\nd,0\n',
        f"3: Expected a row of CSV, but came one that cannot be read (unexpected end of data). {QUOTE}",
    ),
    "text behind a quote": (
        "csv",
        'text,label\n"a" b,0\n',
        f"2: Expected a row of CSV, but came one that cannot be read (',' expected after '\"'). {QUOTE}",
    ),
    "blank text": (
        "tsv",
        HEAD + "a\t0\n \u2028\t0\n",
        f"3: Expected a text in column 'text', but came ' \\u2028'. {FILL}",
    ),
    "text is a number": (
        "jsonl",
        '{"text": 7, "label": 0}\n',
        f"1: Expected a text in column 'text', but came 7. {FILL}",
    ),
    "text is missing": (
        "parquet",
        [{"text": "a", "label": 0}, {"text": None, "label": 0}],
        f"2: Expected a text in column 'text', but came None. {FILL}",
    ),
    "empty label": ("tsv", HEAD + "a\t\n", f"2: Expected a label in column 'label', but came ''. {LABEL}"),
    "label is null": (
        "jsonl",
        [{"text": "a", "label": None}],
        f"1: Expected a label in column 'label', but came None. {LABEL}",
    ),
    "integer label is missing": (
        "parquet",
        [{"text": "a", "label": 3}, {"text": "b", "label": None}],
        f"2: Expected a label in column 'label', but came None. {LABEL}",
    ),
    "label is not a number": (
        "parquet",
        [{"text": "a", "label": float("nan")}],
        f"1: Expected a label in column 'label', but came nan. {LABEL}",
    ),
    "label is a float": (
        "jsonl",
        [{"text": "a", "label": 2.0}],
        f"1: Expected a class in column 'label', but came the number 2.0. {ROUND}",
    ),
    "column of floats": (
        "parquet",
        [{"text": "a", "label": 0.5}],
        f"1: Expected a class in column 'label', but came the number 0.5. {ROUND}",
    ),
    "label is a list": (
        "jsonl",
        [{"text": "a", "label": [1]}],
        f"1: Expected text or a whole number in column 'label', but came [1]. {TYPE}",
    ),
    "half a surrogate pair": (
        "jsonl",
        '{"text": "a", "label": "\\ud800"}\n',
        '1: Expected a JSON object, but came \'{"text": "a", "label": "\\\\ud800"}\' (U+D800 is no text). '
        "Write one object a line, and nothing else.",
    ),
    "NUL in Parquet": (
        "parquet",
        [{"text": "a", "label": "x\0"}],
        "1: Expected text without NUL in column 'label', but came 'x\\x00'. Correct the characters.",
    ),
    "NUL": ("tsv", HEAD + "a\0b\t0\n", "2: Expected text, but came a NUL character. Restore the file."),
    "Latin-1": (
        "csv",
        "text,label\na,0\né,0\n".encode("latin-1"),
        "3: Expected UTF-8, but came byte 0xe9. Save the file as UTF-8.",
    ),
    "no parquet": (
        "parquet",
        b"PAR1 or so",
        "1: Expected a Parquet file, but came one that cannot be read (Parquet magic bytes not found in footer. Either "
        "the file is corrupted or this is not a parquet file). Check the file, or write it again.",
    ),
}


@pytest.mark.parametrize(("suffix", "content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_not_a_table_is_named_with_its_line(suffix, content, message, tmp_path):
    path = tmp_path / f"train.{suffix}"
    with pytest.raises(CorpusError) as caught:
        read(path, content)
    assert str(caught.value) == f"{path}:{message}"


@pytest.mark.parametrize("text", ["a  b", "a\u2028 \u2028 b"])
def test_words_have_one_space_between_them(text, tmp_path):
    path = tmp_path / "train.tsv"
    with pytest.raises(CorpusError) as caught:
        read(path, f"text\tlabel\n{text}\t0\n", words=True)
    assert str(caught.value) == (
        f"{path}:2: Expected one space between words, but came {text!r}. Remove the other spaces, or set words=False."
    )


def test_blank_second_text_is_named_by_its_column(tmp_path):
    path = tmp_path / "train.tsv"
    with pytest.raises(CorpusError) as caught:
        read(path, "text\tlabel\tb\na\t0\t \n", pair="b")
    assert str(caught.value) == f"{path}:2: Expected a text in column 'b', but came ' '. {FILL}"


@pytest.mark.parametrize("option", ["id", "group"])
def test_blank_name_is_named_by_its_column(option, tmp_path):
    path = tmp_path / "train.tsv"
    with pytest.raises(CorpusError) as caught:
        read(path, "text\tlabel\tkey\na\t0\t\n", **{option: "key"})
    assert str(caught.value) == f"{path}:2: Expected text or a whole number in column 'key', but came ''. {TYPE}"


def test_words_and_pairs_exclude_each_other():
    with pytest.raises(CorpusError) as caught:
        read_table("x.tsv", words=True, pair="b")
    assert str(caught.value) == (
        "Corpus 'x.tsv' should have words or pairs of texts, but came words=True and pair='b'. "
        "Leave one of the two out."
    )


def test_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / "train.xlsx"
    with pytest.raises(CorpusError) as caught:
        read(path, b"")
    assert str(caught.value) == (
        f"The name of a table should end in .tsv, .csv, .json, .jsonl or .parquet, but {path} does not. "
        f"Rename it, or name other files."
    )


def test_an_id_occurs_once_in_the_corpus(tmp_path):
    first, second = tmp_path / "train.csv", tmp_path / "train.tsv"
    first.write_text("text,label\na,0\n")
    second.write_text(HEAD + "a\t0\n")
    with pytest.raises(CorpusError) as caught:
        read_table(str(tmp_path))
    assert str(caught.value) == (
        f"{second}:2: Expected an id of its own, but came 'train-1', which stands at {first}:2 too. "
        "Give each row an id, and each file a name, of its own."
    )


def test_hub_that_cannot_be_reached_is_one_message():
    with pytest.raises(CorpusError) as caught:
        read_table("hf://datasets/nyu-mll/glue/sst2/*.parquet", "sentence")
    assert str(caught.value) == (
        "Corpus 'hf://datasets/nyu-mll/glue/sst2/*.parquet' should be Parquet files on the Hub, but they cannot be "
        "found: Cannot reach https://huggingface.co/api/datasets/nyu-mll/glue: offline mode is enabled. To disable it, "
        "please unset the `HF_HUB_OFFLINE` environment variable. Check the name and the network, or download the "
        "files and give their path."
    )


@pytest.mark.parametrize(
    ("found", "came"),
    [((), "nothing is there"), (("datasets/a/b/train.csv",), "'datasets/a/b/train.csv' is there")],
)
def test_hub_without_such_parquet_files_is_one_message(found, came, monkeypatch):
    monkeypatch.setattr(huggingface_hub.HfFileSystem, "glob", lambda hub, pattern: list(found))
    with pytest.raises(CorpusError) as caught:
        read_table("hf://datasets/a/b/train*")
    assert str(caught.value) == (
        f"Corpus 'hf://datasets/a/b/train*' should be Parquet files on the Hub, but they cannot be found: {came}. "
        f"Check the name and the network, or download the files and give their path."
    )


@pytest.mark.parametrize("option", ["text", "label"])
def test_text_and_label_cannot_be_left_out(option, tmp_path):
    path = tmp_path / "train.tsv"
    with pytest.raises(CorpusError) as caught:
        read(path, HEAD + "a\t0\n", **{option: ""})
    assert str(caught.value) == (
        f"{path}:2: Expected a column '', but came 'label', 'text'. "
        f"Set the option {option!r} to the column that is meant."
    )
