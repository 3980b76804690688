"""Tables: every row becomes a sentence, and whatever is not a table is named with its line."""

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.corpus.table import read_table
from probes.errors import CorpusError
from probes.types import Corpus, Sentence

ROWS = [{"text": "a dog , it runs", "label": "1"}, {"text": '"so" it is', "label": "NA"}, {"text": "é", "label": "007"}]
SUFFIXES = ("tsv", "csv", "jsonl", "json", "parquet")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The same rows in the format that the suffix says."""
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix in (".json", ".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([list(rows[0]), *(row.values() for row in rows)])
    else:
        lines = [list(rows[0]), *(list(row.values()) for row in rows)]
        path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return path


def read(path: Path, content: str | bytes | list[dict[str, Any]], **options: Any) -> tuple[Sentence, ...]:
    if isinstance(content, list):
        write(path, content)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tuple(read_table(str(path), **options)["train"])


@pytest.fixture(params=SUFFIXES)
def any_path(request, tmp_path) -> Path:
    return tmp_path / f"train.{request.param}"


def test_every_format_gives_the_same_sentences(any_path):
    assert read(any_path, ROWS) == tuple(
        Sentence(id=f"train-{number}", text=row["text"], group=f"train-{number}", attributes={"label": row["label"]})
        for number, row in enumerate(ROWS, start=1)
    )


def test_all_parts_come_from_the_columns_that_options_name(any_path):
    row = {"a": " one ", "b": "two\u2028", "gold": "yes", "idx": "7", "doc": "d", "other": ""}
    options = {"text": "a", "pair": "b", "label": "gold", "id": "idx", "group": "doc"}
    expected = Sentence(id="7", text="one", pair="two", group="d", attributes={"label": "yes"})
    assert read(any_path, [row], **options) == (expected,)


def test_with_words_a_text_is_cut_at_its_spaces(any_path):
    (sentence, *_) = read(any_path, ROWS, words=True)
    assert (sentence.words, sentence.text) == (("a", "dog", ",", "it", "runs"), "")


def test_the_group_of_a_row_without_one_is_its_id(any_path):
    rows = [row | {"key": f"k{number}"} for number, row in enumerate(ROWS)]
    assert [(one.id, one.group) for one in read(any_path, rows, id="key")] == [(f"k{i}", f"k{i}") for i in range(3)]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize(("label", "name"), [(0, "0"), (-1, "-1"), (True, "True"), (" x", " x"), ("0.5", "0.5")])
def test_labels_become_text_as_python_writes_them(label, name, suffix, tmp_path):
    (sentence,) = read(tmp_path / f"train.{suffix}", [{"text": "a", "label": label, "n": 3}], id="n", group="n")
    assert (sentence.attributes, sentence.id, sentence.group) == ({"label": name}, "3", "3")


def test_splits_are_those_that_file_names_say(tmp_path):
    for name in ("dev.csv", "train-b.tsv", "train-a.jsonl", "test.parquet"):
        write(tmp_path / name, [{"text": name, "label": "0"}])
    corpus = read_table(str(tmp_path))
    texts = {split: [one.text for one in sentences] for split, sentences in corpus.splits.items()}
    assert texts == {"train": ["train-a.jsonl", "train-b.tsv"], "dev": ["dev.csv"], "test": ["test.parquet"]}
    assert (list(texts), corpus.name) == (["train", "dev", "test"], tmp_path.name)


def test_relative_path_is_the_name_of_the_corpus(tmp_path, monkeypatch):
    (tmp_path / "glue").mkdir()
    write(tmp_path / "glue" / "train.tsv", ROWS)
    monkeypatch.chdir(tmp_path)
    assert read_table("glue/*.tsv").name == "glue/*.tsv"


@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl"])
def test_what_surrounds_the_lines_changes_nothing(suffix, tmp_path):
    path = write(tmp_path / f"train.{suffix}", ROWS)
    content, expected = path.read_bytes().replace(b"\r\n", b"\n"), read_table(str(path))
    for other in (b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n"), content.rstrip(b"\n")):
        path.write_bytes(other)
        assert read_table(str(path)) == expected


@pytest.mark.parametrize("text", ['"', 'a "b" c', '"a', "a,b", "\u2028x\u2028y", "a\x85b", "a\rb"])
def test_tab_separated_text_is_kept_as_written(text, tmp_path):
    (sentence,) = read(tmp_path / "train.tsv", f"text\tlabel\n{text}\t0\n")
    assert sentence.text == text.strip()


def test_quoted_field_of_csv_may_hold_commas_quotes_and_line_breaks(tmp_path):
    (sentence, _) = read(tmp_path / "train.csv", 'label,text\n0,"a, ""b""\nc\rd"\n1,e\n')
    assert sentence.text == 'a, "b"\nc\rd'


@pytest.mark.parametrize(
    "name", ["train-[1].parquet", "train-*.parquet", "train-?.parquet", ".hidden/train.parquet", "__a__/train.parquet"]
)
def test_name_of_a_parquet_file_is_no_pattern(name, tmp_path):
    write(tmp_path / "train-x.parquet", [{"text": "other", "label": "0"}])
    path = tmp_path / "deep" / name
    path.parent.mkdir(parents=True)
    assert [one.text for one in read(path, ROWS)] == [row["text"] for row in ROWS]


def test_parquet_of_the_datasets_library_comes_back(tmp_path):
    rows = {"sentence": ["a dog", "a cat", "it runs"], "label": [0, 1, 0], "idx": [5, 3, 4]}
    features = datasets.Features(
        sentence=datasets.Value("string"), label=datasets.ClassLabel(names=["no", "yes"]), idx=datasets.Value("int32")
    )
    table = datasets.Dataset.from_dict(rows, features=features).data.table
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet", row_group_size=2)
    sentences = read_table(str(tmp_path / "train.parquet"), "sentence", id="idx")["train"]
    found = {
        "sentence": [one.text for one in sentences],
        "label": [int(one.attributes["label"]) for one in sentences],
        "idx": [int(one.id) for one in sentences],
    }
    assert found == rows


def test_files_on_the_hub_are_split_by_their_names_and_read_by_their_address(tmp_path, monkeypatch):
    shards = [
        f"datasets/a/b/sst2/{name}-0000{shard}-of-00002.parquet" for name in ("validation", "train") for shard in "01"
    ]
    monkeypatch.setattr(huggingface_hub.HfFileSystem, "glob", lambda hub, pattern: shards)

    def load(kind: str, *, data_files: str, **options: Any) -> list[dict[str, Any]]:
        assert (kind, options["streaming"], options.get("trust_remote_code")) == ("parquet", True, None)
        return [{"text": data_files, "label": 1}]

    monkeypatch.setattr(datasets, "load_dataset", load)
    corpus = read_table("hf://datasets/a/b/sst2/*.parquet")
    assert corpus.name == "hf://datasets/a/b/sst2/*.parquet"
    assert {split: [one.text for one in part] for split, part in corpus.splits.items()} == {
        "train": [f"hf://{name}" for name in shards[2:]],
        "dev": [f"hf://{name}" for name in shards[:2]],
    }
    assert corpus["train"][0].id == "train-00000-of-00002-1"


def test_parquet_with_an_empty_first_group_of_rows_is_read(tmp_path):
    table = pyarrow.Table.from_pylist(ROWS)
    with pyarrow.parquet.ParquetWriter(tmp_path / "train.parquet", table.schema) as writer:
        writer.write_table(table.slice(0, 0))
        writer.write_table(table)
    assert len(read_table(str(tmp_path / "train.parquet"))["train"]) == len(ROWS)


def check(corpus: Corpus, num_rows: int) -> None:
    """What every corpus that was read has, whatever the file was."""
    sentences = [one for part in corpus.splits.values() for one in part]
    assert len(sentences) == len({one.id for one in sentences}) == num_rows > 0
    for one in sentences:
        assert one.text == one.text.strip() != ""
        assert one.attributes["label"].strip()
        (one.text + one.id + one.attributes["label"]).encode()


def try_to_read(suffix: str, content: bytes) -> Corpus | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"train.{suffix}"
        path.write_bytes(content)
        try:
            return read_table(str(path))
        except CorpusError as error:
            if not str(error).startswith(f"{path}:"):
                raise
            return None


def lines_of(content: bytes) -> list[str]:
    lines = content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


COUNTS = {
    "tsv": lambda content: len(lines_of(content)) - 1,
    "csv": lambda content: len(list(csv.reader(io.StringIO("\n".join(lines_of(content)), newline="\n")))) - 1,
    "jsonl": lambda content: sum(1 for line in lines_of(content) if line.strip()),
}
VALID = {
    "tsv": b"text\tlabel\na dog\t0\n\xc3\xa9 \xe2\x80\xa8b\t1\n",
    "csv": b'text,label\n"a, ""b""\nc",0\n\xc3\xa9,1\n',
    "jsonl": b'{"text": "a dog", "label": 0}\n{"text": "\xc3\xa9 \\u00e9", "label": "x"}\n',
}
PIECES = st.sampled_from(
    [b"\t", b"\n", b"\r\n", b"\r", b'"', b",", b"\0", b"\xff", b"{", b"\\ud800", b"1.5", b" ", b""]
)


@settings(max_examples=100, deadline=None)
@given(
    suffix=st.sampled_from(list(VALID)),
    edits=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3), PIECES | st.binary(max_size=3)), max_size=4),
)
def test_edited_file_is_refused_or_every_row_becomes_a_sentence(suffix, edits):
    content = VALID[suffix]
    for start, length, piece in edits:
        content = content[:start] + piece + content[start + length :]
    corpus = try_to_read(suffix, content)
    if corpus is not None:
        check(corpus, COUNTS[suffix](content))


@settings(max_examples=100, deadline=None)
@given(suffix=st.sampled_from(SUFFIXES), content=st.binary(max_size=40), head=st.sampled_from([b"", b"text\tlabel\n"]))
def test_random_bytes_are_refused_or_read(suffix, content, head):
    corpus = try_to_read(suffix, head + content)
    if corpus is not None:
        check(corpus, COUNTS[suffix](head + content))


@settings(max_examples=20, deadline=None)
@given(length=st.integers(0, 600))
def test_cut_parquet_file_is_refused(length):
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), buffer)
    content = buffer.getvalue()
    assert try_to_read("parquet", content[: min(length, len(content) - 1)]) is None


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1).filter(str.strip)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), suffix=st.sampled_from(["csv", "jsonl"]))
def test_texts_and_labels_come_back_from_any_file(rows, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"train.{suffix}", [{"text": text, "label": label} for text, label in rows])
        found = [(one.text, one.attributes["label"]) for one in read_table(str(path))["train"]]
    assert found == [(text.strip(), label) for text, label in rows]


@pytest.mark.slow
@pytest.mark.corpus
def test_sentiment_treebank_has_its_published_counts(corpus_data):
    corpus = read_table(str(corpus_data / "sst2" / "*.tsv"), "text_a")
    assert {split: len(sentences) for split, sentences in corpus.splits.items()} == {"train": 67349, "dev": 872}
    labels = {one.attributes["label"] for part in corpus.splits.values() for one in part}
    assert (labels, corpus["train"][0].text) == ({"0", "1"}, "hide new secretions from the parental units")
