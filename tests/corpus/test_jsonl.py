"""JSON lines: objects come out with their line numbers, and what JSON readers differ on is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.corpus.jsonl import field, read_jsonl, text_field
from probes.corpus.text import claim_id
from probes.errors import CorpusError

OBJECT = "Expected a JSON object, but came"
ADVICE = "Write one object a line, and nothing else."


def read(path: Path, text: str | bytes):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_jsonl(path))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "rows.jsonl"


def test_objects_come_with_the_numbers_of_their_lines(path):
    text = '{"a": 1, "b": [true, null, 2.5]}\n {"a": "\\ud83d\\ude00\u2028"} \n{}'
    assert read(path, text) == [(1, {"a": 1, "b": [True, None, 2.5]}), (2, {"a": "😀\u2028"}), (3, {})]


@pytest.mark.parametrize(
    "text", ['{"a": 1}\r\n{"a": 2}\r\n'.encode("utf-8-sig"), b'{"a": 1}\n{"a": 2}'], ids=["mark, CRLF", "no end"]
)
def test_what_surrounds_the_lines_changes_nothing(text, path):
    assert read(path, text) == [(1, {"a": 1}), (2, {"a": 2})]


DEEP = "[" * 60
WRONG = {
    "empty": ("", "1: Expected lines of JSON, but came an empty file. Fill the file, or remove it."),
    "blank": ('{"a": 1}\n\n', f"2: {OBJECT} a blank line. {ADVICE}"),
    "spaces": (" \t\n", f"1: {OBJECT} a blank line. {ADVICE}"),
    "no JSON": ('{}\nnope"', f"2: {OBJECT} 'nope\"' (Expecting value, column 1). {ADVICE}"),
    "two objects": ("{} {}", f"1: {OBJECT} '{{}} {{}}' (Extra data, column 4). {ADVICE}"),
    "list": ("[1]", f"1: {OBJECT} '[1]'. {ADVICE}"),
    "number": ("3", f"1: {OBJECT} '3'. {ADVICE}"),
    "key twice": ('{"a": {"é": 1, "é": 1}}', f"""1: {OBJECT} '{{"a": {{"é": 1, "é": 1}}}}' """
                  f"""(key "é" stands there 2 times). {ADVICE}"""),
    "NaN": ('{"a": NaN}', f"1: {OBJECT} '{{\"a\": NaN}}' (NaN is no JSON). {ADVICE}"),
    "infinity": ("-Infinity", f"1: {OBJECT} '-Infinity' (-Infinity is no JSON). {ADVICE}"),
    "too large": ("[1e999]", f"1: {OBJECT} '[1e999]' (1e999 is beyond the largest number). {ADVICE}"),
    "many digits": ("9" * 5000, f"1: {OBJECT} '{'9' * 60}' (a number of 5000 characters). {ADVICE}"),
    "nested too deep": ("[" * 100_000, f"1: {OBJECT} '{DEEP}' (nested too deep). {ADVICE}"),
    "half a pair": ('{"a": ["\\ud800"]}', f"1: {OBJECT} '{{\"a\": [\"\\\\ud800\"]}}' (U+D800 is no text). {ADVICE}"),
    "half a pair as key": ('{"\\udc00": 1}', f"1: {OBJECT} '{{\"\\\\udc00\": 1}}' (U+DC00 is no text). {ADVICE}"),
    "NUL as escape": ('{"a": "\\u0000"}', f"1: {OBJECT} '{{\"a\": \"\\\\u0000\"}}' (U+0000 is no text). {ADVICE}"),
    "NUL": ('{}\n{"a": "\0"}', "2: Expected text, but came a NUL character. Restore the file."),
    "Latin-1": ('{}\n{"a": "é"}'.encode("latin-1"), "2: Expected UTF-8, but came byte 0xe9. Save the file as UTF-8."),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_object_is_named_with_its_line(text, message, path):
    with pytest.raises(CorpusError) as caught:
        read(path, text)
    assert str(caught.value) == f"{path}:{message}"


ROW = {"text": "a b", "info": {"id": 3}, "span": [0, 1], "id": 7, "flag": True}


def test_a_field_is_the_value_of_its_key(path):
    assert [field(path, 1, ROW, name, kind) for name, kind in (("text", str), ("id", int))] == ["a b", 7]
    assert (field(path, 1, ROW, "info", dict), field(path, 1, ROW, "span", list)) == ({"id": 3}, [0, 1])


FIELDS = {
    "missing": (ROW, "txt", str, "Expected key 'txt', but came the keys 'text', 'flag', 'id', 'info', 'span'. "
                                 "Add the key, or rename one."),
    "no keys": ({}, "text", str, "Expected key 'text', but came an object without keys. Add the key, or rename one."),
    "null": ({"text": None}, "text", str, "Expected a string at 'text', but came null. Correct the value."),
    "truth for a number": (ROW, "flag", int, "Expected a whole number at 'flag', but came true. Correct the value."),
    "object for a list": (ROW, "info", list, "Expected a list at 'info', but came {\"id\": 3}. Correct the value."),
    "list for an object": (ROW, "span", dict, "Expected an object at 'span', but came [0, 1]. Correct the value."),
    "long": ({"a": "x" * 99}, "a", int, f"Expected a whole number at 'a', but came \"{'x' * 59}…. Correct the value."),
}  # fmt: skip


@pytest.mark.parametrize(("row", "name", "kind", "message"), FIELDS.values(), ids=FIELDS)
def test_a_field_of_another_kind_is_named(row, name, kind, message, path):
    with pytest.raises(CorpusError) as caught:
        field(path, 5, row, name, kind)
    assert str(caught.value) == f"{path}:5: {message}"


def test_a_value_may_be_nested_as_deep_as_the_reader_goes(path):
    value: list = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(CorpusError) as caught:
        field(path, 1, {"text": value}, "text", str)
    assert str(caught.value) == (
        f"{path}:1: Expected a string at 'text', but came a value nested too deep. Correct the value."
    )


@pytest.mark.parametrize("text", ["", " ", "\u00a0\n"])
def test_a_text_is_not_blank(text, path):
    with pytest.raises(CorpusError) as caught:
        text_field(path, 2, {"text": text}, "text")
    shown = json.dumps(text, ensure_ascii=False)
    assert str(caught.value) == (
        f"{path}:2: Expected text at 'text', but came {shown}. Fill the value, or remove the line."
    )


def test_an_id_is_claimed_once(path):
    places: dict[str, str] = {}
    claim_id(places, "a", path, 3, "Rename it.")
    with pytest.raises(CorpusError) as caught:
        claim_id(places, "a", path, 7, "Rename it.")
    assert str(caught.value) == (
        f"{path}:7: Expected an id of its own, but came 'a', which stands at {path}:3 too. Rename it."
    )


def test_an_id_is_text(path):
    with pytest.raises(CorpusError) as caught:
        claim_id({}, "caf\udce9-1", path, 1, "Rename it.")
    assert str(caught.value) == f"{path}:1: Expected an id in UTF-8, but came 'caf\\udce9-1'. Rename the file."


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(rows=st.lists(st.dictionaries(st.text(), VALUES, max_size=3), min_size=1), is_ascii=st.booleans())
def test_what_json_writes_is_read_back_unless_it_is_no_text(rows, is_ascii, tmp_path_factory):
    text = "\n".join(json.dumps(row, ensure_ascii=is_ascii) for row in rows)
    path = tmp_path_factory.mktemp("files") / "rows.jsonl"
    if "\\u0000" in text.replace("\\\\", ""):
        with pytest.raises(CorpusError, match=r"U\+0000 is no text"):
            read(path, text)
    else:
        assert read(path, text) == list(enumerate(rows, start=1))


@given(data=st.binary(max_size=60))
def test_bytes_are_objects_or_an_error(data, tmp_path_factory):
    try:
        rows = read(tmp_path_factory.mktemp("files") / "rows.jsonl", data)
    except CorpusError:
        return
    assert len(rows) == data.removesuffix(b"\n").count(b"\n") + 1
