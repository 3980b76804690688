"""Minimal pairs: two sentences each, and held-out splits of whole paradigms."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings

from probes.corpus.pairs import read_pairs
from probes.errors import CorpusError
from probes.types import Corpus, Sentence
from tests.corpus.damage import damaged

SIZES = {"island": 4, "npi": 3, "binding": 2}  # paradigms of each phenomenon


def row(number="0", **values) -> str:
    fields = {"sentence_good": f"Good {number}.", "sentence_bad": f"Bad {number}.", "linguistics_term": "npi"}
    return json.dumps(fields | {"UID": "npi_1", "pairID": number, "field": "syntax"} | values) + "\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three phenomena of 4, 3 and 2 paradigms of two pairs."""
    for phenomenon, size in SIZES.items():
        for name in (f"{phenomenon}_{number}" for number in range(1, size + 1)):
            lines = (row(number, UID=name, linguistics_term=phenomenon) for number in "01")
            (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    return tmp_path


def paradigms(corpus: Corpus) -> dict[str, list[str]]:
    return {
        split: sorted({one.attributes["paradigm"] for one in sentences}) for split, sentences in corpus.splits.items()
    }


def test_a_pair_is_a_good_and_a_bad_sentence_of_one_group(tmp_path):
    path = tmp_path / "npi_1.jsonl"
    path.write_text(row("7"))
    shared = {"phenomenon": "npi", "paradigm": "npi_1", "pair": "npi_1-7"}
    good, bad = (
        Sentence(id=f"npi_1-7-{label}", text=text, group="npi_1-7", attributes={"label": label, **shared})
        for label, text in (("good", "Good 7."), ("bad", "Bad 7."))
    )
    assert read_pairs(str(path)) == Corpus("npi_1.jsonl", {"train": (good, bad)})


def test_a_pair_of_equal_sentences_stays_a_pair(tmp_path):
    path = tmp_path / "npi_1.jsonl"
    path.write_text(row("7", sentence_bad="Good 7."))
    assert [one.text for one in read_pairs(str(path))["train"]] == ["Good 7.", "Good 7."]


def test_one_paradigm_of_each_larger_phenomenon_is_drawn_for_test_and_one_for_dev(folder):
    splits = paradigms(read_pairs(str(folder)))
    counts = {split: Counter(name[:-2] for name in names) for split, names in splits.items()}
    assert counts == {
        "train": {"island": 2, "npi": 1, "binding": 2},
        "dev": {"island": 1, "npi": 1},
        "test": {"island": 1, "npi": 1},
    }


def test_the_seed_alone_says_which_paradigms_are_drawn(folder):
    assert read_pairs(str(folder)) == read_pairs(str(folder), seed=0)
    assert len({str(paradigms(read_pairs(str(folder), seed=seed))) for seed in range(8)}) > 4


def test_another_phenomenon_changes_no_draw(folder):
    before = paradigms(read_pairs(str(folder)))
    for file in folder.glob("npi*"):
        file.unlink()
    after = paradigms(read_pairs(str(folder)))
    assert after == {split: [name for name in names if "npi" not in name] for split, names in before.items()}


def test_phenomena_are_drawn_from_independently(tmp_path):
    for name in ("a_1", "a_2", "a_3", "b_1", "b_2", "b_3"):
        (tmp_path / f"{name}.jsonl").write_text(row(UID=name, linguistics_term=name[0]))
    drawn = [paradigms(read_pairs(str(tmp_path), seed=seed))["test"] for seed in range(20)]
    assert len({first[2:] == second[2:] for first, second in drawn}) == 2


def test_names_of_files_change_no_draw(folder):
    before = paradigms(read_pairs(str(folder)))
    for number, name in enumerate(("island_3", "island_1", "npi_2")):
        (folder / f"{name}.jsonl").rename(folder / f"z{number}.jsonl")
    assert paradigms(read_pairs(str(folder))) == before


def test_splits_hold_every_pair_once_in_the_order_of_the_files(folder):
    corpus = read_pairs(str(folder))
    sentences = sorted(one.id for part in corpus.splits.values() for one in part)
    pairs = [f"{name}_{part}-{pair}" for name, size in SIZES.items() for part in range(1, size + 1) for pair in (0, 1)]
    assert sentences == sorted(f"{pair}-{label}" for pair in pairs for label in ("good", "bad"))
    for part in corpus.splits.values():
        names = [one.attributes["paradigm"] for one in part]
        assert names == sorted(names)
        assert [one.id.rpartition("_")[2] for one in part[:4]] == [
            f"{names[0][-1]}-{pair}-{label}" for pair in (0, 1) for label in ("good", "bad")
        ]


def test_named_paradigms_are_held_out_and_no_other(folder):
    corpus = read_pairs(str(folder), dev="binding_1", test="island_2, island_3")
    assert paradigms(corpus) == {
        "train": ["binding_2", "island_1", "island_4", "npi_1", "npi_2", "npi_3"],
        "dev": ["binding_1"],
        "test": ["island_2", "island_3"],
    }


def test_dev_is_drawn_of_what_a_named_test_leaves(folder):
    splits = paradigms(read_pairs(str(folder), test="island_1,island_2,island_3,npi_1"))
    assert splits["test"] == ["island_1", "island_2", "island_3", "npi_1"]
    # One paradigm of "island" is left, and it stays for train.
    assert [name[:-2] for name in splits["dev"]] == ["npi"]
    assert {"island_4", "binding_1", "binding_2"} < set(splits["train"])


@pytest.mark.parametrize(("pattern", "name"), [("{}", "{}"), ("{}/*.jsonl", "*.jsonl"), ("{}/*_?.json?", "*_?.json?")])
def test_a_folder_and_a_pattern_name_the_same_files(pattern, name, folder):
    corpus = read_pairs(pattern.format(folder))
    assert (corpus.name, corpus.splits) == (name.format(folder.name), read_pairs(str(folder)).splits)


FILL = "Fill the value, or remove the line."
WRONG = {
    "no JSON": ("{}}", "Expected a JSON object, but came '{}}' (Extra data, column 3). "
                       "Write one object a line, and nothing else."),
    "no sentence": ('{"UID": "x"}', "Expected key 'sentence_good', but came the keys 'UID'. "
                                    "Add the key, or rename one."),
    "sentence is null": (row("1", sentence_bad=None),
                         "Expected a string at 'sentence_bad', but came null. Correct the value."),
    "number as pairID": (row(1), "Expected a string at 'pairID', but came 1. Correct the value."),
    "blank sentence": (row("1", sentence_good=" "), f"Expected text at 'sentence_good', but came \" \". {FILL}"),
    "blank UID": (row("1", UID=""), f"Expected text at 'UID', but came \"\". {FILL}"),
    "half a character": ('{"UID": "\\ud800"}',
                         "Expected a JSON object, but came '{\"UID\": \"\\\\ud800\"}' (U+D800 is no text). "
                         "Write one object a line, and nothing else."),
    "another phenomenon": (row("1", linguistics_term="island"),
                           "Expected phenomenon 'npi', as above for paradigm 'npi_1', but came 'island'. "
                           "Give a paradigm one 'linguistics_term'."),
    "pair twice": (row("0"), "Expected an id of its own, but came 'npi_1-0', which stands at {path}:1 too. "
                             "Give each pair of a paradigm its own 'pairID', and each file once."),
}  # fmt: skip


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_pair_is_named_with_its_line(line, message, tmp_path):
    path = tmp_path / "npi_1.jsonl"
    path.write_text(row() + line)
    with pytest.raises(CorpusError) as caught:
        read_pairs(str(path))
    assert str(caught.value) == f"{path}:2: {message.replace('{path}', str(path))}"


def test_an_id_occurs_once_in_all_files(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(row())
    with pytest.raises(CorpusError) as caught:
        read_pairs(str(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path / 'b.jsonl'}:1: Expected an id of its own, but came 'npi_1-0', which stands at "
        f"{tmp_path / 'a.jsonl'}:1 too. Give each pair of a paradigm its own 'pairID', and each file once."
    )


NAMES = [f"{phenomenon}_{number}" for phenomenon, size in SIZES.items() for number in range(1, size + 1)]
OPTIONS = {
    "unknown": (
        {"test": "npi_1,npi_9"},
        "Option 'test' should name paradigms, but names 'npi_9'. Known paradigms are 'npi_1', 'npi_2', 'npi_3', "
        "'binding_1', 'binding_2', 'island_1', 'island_2', 'island_3', 'island_4'. "
        "Choose of these, with commas between them.",
    ),
    "both": (
        {"test": "npi_1", "dev": "npi_2,npi_1"},
        "A paradigm should be held out once, but 'dev' and 'test' both name 'npi_1'. Take it out of one of them.",
    ),
    "all": (
        {"test": ",".join(NAMES[:5]), "dev": ",".join(NAMES[5:])},
        "Some paradigm of '{folder}' should stay for train, but 'dev' and 'test' name all 9. Name fewer.",
    ),
}


@pytest.mark.parametrize(("options", "message"), OPTIONS.values(), ids=OPTIONS)
def test_options_name_known_paradigms_once(options, message, folder):
    with pytest.raises(CorpusError) as caught:
        read_pairs(str(folder), **options)
    assert str(caught.value) == message.replace("{folder}", str(folder))


def test_a_folder_without_pairs_is_named(tmp_path):
    with pytest.raises(CorpusError) as caught:
        read_pairs(str(tmp_path))
    assert str(caught.value) == (
        f"Corpus files were expected at '{tmp_path}/*.jsonl', but there are none in {tmp_path}. "
        "Correct the path, or set PROBES_DATA to the folder that holds your corpora."
    )


SAMPLE = "".join(row(number) for number in "012")
PIECES = (b"\n", b" ", b"[]", b"null", b"9", b'"', b"{}", b"\\ud800", b"\0")


@given(data=damaged(SAMPLE.encode(), PIECES, max_bytes=80))
@settings(max_examples=200, deadline=None)
def test_bytes_are_an_error_or_a_corpus_without_loss(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "pairs.jsonl"
    path.write_bytes(data)
    try:
        corpus = read_pairs(str(path))
    except CorpusError:
        return
    rows = [json.loads(line) for line in data.decode("utf-8-sig").removesuffix("\n").split("\n")]
    texts = [line[f"sentence_{label}"] for line in rows for label in ("good", "bad")]
    sentences = [one for part in corpus.splits.values() for one in part]
    assert sorted(one.text for one in sentences) == sorted(texts)
    assert len({one.id for one in sentences}) == len(sentences)
    assert all("".join((one.id, one.text, *one.attributes.values())).encode() for one in sentences)


@pytest.mark.corpus
@pytest.mark.slow
def test_blimp_has_its_published_counts(corpus_data):
    corpus = read_pairs(str(corpus_data / "blimp"))
    sentences = [one for part in corpus.splits.values() for one in part]
    counts = Counter(one.attributes["paradigm"] for one in sentences)
    assert (len(counts), set(counts.values())) == (67, {2000})
    phenomena = {one.attributes["paradigm"]: one.attributes["phenomenon"] for one in sentences}
    large = sorted(name for name, size in Counter(phenomena.values()).items() if size >= 3)
    for split in ("dev", "test"):
        assert sorted(phenomena[name] for name in paradigms(corpus)[split]) == large
