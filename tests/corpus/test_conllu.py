"""CoNLL-U: every word line becomes a word, and whatever is not CoNLL-U is named with its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.corpus.conllu import read_conllu
from probes.errors import CorpusError
from probes.types import Sentence, Tree

# One document with a multi-word token, an empty node, an empty upos and a subtyped relation.
SAMPLE = """\
# newdoc id = letter
# sent_id = letter-1
# text = I don't know him = her.
1\tI\tI\tPRON\tPRP\tCase=Nom|Number=Sing\t4\tnsubj\t4:nsubj\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t4\taux\t4:aux\t_
3\tn't\tnot\t_\tRB\t_\t4\tadvmod\t4:advmod\t_
4\tknow\tknow\tVERB\tVB\tVerbForm=Inf\t0\troot\t0:root\tSpaceAfter=No
4.1\tknow\tknow\tVERB\tVB\t_\t_\t_\t4:conj\tCopyOf=4
5\t1 000\t1 000\tNUM\tCD\t_\t4\tnmod:poss\t4:obj\tGloss=a b

# sent_id = letter-2
1\tYes\tyes\tINTJ\tUH\t_\t0\troot\t0:root\t_

"""


def line(number, form="w", head="0", **fields):
    values = {"id": number, "form": form, "lemma": "_", "upos": "X", "xpos": "_", "feats": "_", "head": head}
    return "\t".join(str(value) for value in (values | {"deprel": "dep", "deps": "_", "misc": "_"} | fields).values())


def sentence(*lines):
    return "\n".join(lines) + "\n\n"


def read(path: Path, text: str | bytes) -> tuple[Sentence, ...]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tuple(read_conllu({"train": [path]}, "sample")["train"])


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "part.conllu"


def test_words_are_the_integer_ids_with_their_annotation_and_tree(path):
    assert read(path, SAMPLE)[0] == Sentence(
        id="letter-1",
        words=("I", "do", "n't", "know", "1 000"),
        text="I don't know him = her.",
        group="letter",
        columns={
            "upos": ("PRON", "AUX", "_", "VERB", "NUM"),
            "xpos": ("PRP", "VBP", "RB", "VB", "CD"),
            "lemma": ("I", "do", "not", "know", "1 000"),
            "feats": ("Case=Nom|Number=Sing", "_", "_", "VerbForm=Inf", "_"),
        },
        tree=Tree(heads=(4, 4, 4, 0, 4), relations=("nsubj", "aux", "advmod", "root", "nmod:poss")),
    )


def test_each_split_holds_the_sentences_of_its_files_in_order(tmp_path):
    paths = [tmp_path / f"{name}.conllu" for name in "abc"]
    for file in paths:
        file.write_text(sentence(line(1, form=file.stem)))
    corpus = read_conllu({"train": paths[1::-1], "dev": [], "test": paths[2:]}, "letters")
    words = {split: [one.words[0] for one in sentences] for split, sentences in corpus.splits.items()}
    assert (corpus.name, words) == ("letters", {"train": ["b", "a"], "dev": [], "test": ["c"]})


def test_a_document_reaches_until_the_next_one(path):
    text = "".join(
        sentence(*comments, line(1))
        for comments in (["# sent_id = first"], ["# newdoc id = d"], [], ["# newdoc"], [], ["#newdoc id ="])
    )
    groups = [one.group for one in read(path, text)]
    assert groups == ["first", "d", "d", "part-newdoc-1", "part-newdoc-1", "part-newdoc-2"]


def test_documents_without_id_stay_apart_over_files_of_one_name(tmp_path):
    paths = [tmp_path / folder / "part.conllu" for folder in "ab"]
    for number, file in enumerate(paths):
        file.parent.mkdir()
        file.write_text(sentence("# newdoc", f"# sent_id = {number}", line(1)))
    groups = [one.group for one in read_conllu({"train": paths}, "two")["train"]]
    assert groups == ["part-newdoc-1", "part-newdoc-2"]


def test_without_documents_each_sentence_is_its_own_group(path):
    read_sentences = read(path, sentence("# sent_id = s", line(1)) + sentence(line(1)))
    assert [(one.id, one.group) for one in read_sentences] == [("s", "s"), ("part-2", "part-2")]


def test_a_document_may_be_announced_above_a_blank_line(path):
    assert [one.group for one in read(path, "# newdoc id = d\n\n" + sentence(line(1)))] == ["d"]


@pytest.mark.parametrize(
    "text",
    [
        SAMPLE.encode("utf-8-sig"),
        SAMPLE.replace("\n", "\r\n").encode(),
        SAMPLE.rstrip("\n").encode(),
        ("\n\n" + SAMPLE.replace("\n\n", "\n \n\n\n")).encode(),
    ],
    ids=["byte order mark", "CRLF", "no blank line at the end", "more blank lines"],
)
def test_what_surrounds_the_lines_changes_nothing(text, path):
    assert read(path, text) == read(path, SAMPLE)


@pytest.mark.parametrize("form", ["\u2028", "a\x85b", "\x0b", "\u00a0", "a\rb", "#", "1-2", "ﬁ", "_"])
def test_a_word_may_be_any_text_between_tabs(form, path):
    assert read(path, sentence(line(1, form=form), line(2, head="1")))[0].words == (form, "w")


def test_a_file_without_heads_has_no_trees(path):
    text = sentence(line(1, head="_"), line(2, head="_")) + sentence(line(1, head="_"))
    assert [one.tree for one in read(path, text)] == [None, None]


@given(sizes=st.lists(st.integers(1, 5), min_size=1), extra=st.sampled_from(["none", "range", "node"]))
def test_as_many_words_come_out_as_word_lines_went_in(sizes, extra, tmp_path_factory):
    lines = {"none": [], "range": [line("1-1", head="_")], "node": [line("0.1", head="_")]}[extra]
    text = "".join(sentence(*lines, *(line(word, head=word - 1) for word in range(1, size + 1))) for size in sizes)
    sentences = read(tmp_path_factory.mktemp("files") / "part.conllu", text)
    assert [len(one.words) for one in sentences] == sizes


ROOT = line(1)
ID = "Number the words 1, 2, 3, …, and put a blank line between sentences."
FORM = "Expected an id such as 3, 3-4 or 3.1"
TABS = "Put one tab between columns, and '_' where one is empty."
SPACES = "without outer or double spaces"
REMOVE = "Remove the spaces; '_' marks an empty column."
CYCLE = "Expected heads that lead to the root, but came a cycle through 'b'. Correct one head of the cycle."
ROOTS = "Give the sentence one root."
ALL = "Annotate all sentences of a file, or none."
NO_SENTENCE = "Expected sentences, but came a file without any. Fill the file, or remove it."
NO_WORD = "Expected words, but came a sentence without any. Add its words, or remove it."
WRONG = {
    "gap": (sentence(ROOT, line(3, head=1)), f"2: Expected id 2, but came '3'. {ID}"),
    "starts at 2": (sentence("# a", line(2)), f"2: Expected id 1, but came '2'. {ID}"),
    "twice": (sentence(ROOT, line(1)), f"2: Expected id 2, but came '1'. {ID}"),
    "empty id": (sentence(line("_")), f"1: Expected id 1, but came '_'. {ID}"),
    "range too early": (sentence(line("2-3", head="_"), ROOT), f"1: Expected id 1, but came '2-3'. {ID}"),
    "node too early": (sentence(line("1.1", head="_"), ROOT), f"1: Expected id 1, but came '1.1'. {ID}"),
    "no id": (sentence(line("x")), f"1: {FORM}, but came 'x'. Correct the id."),
    "leading zero": (sentence(line("01")), f"1: {FORM}, but came '01'. Correct the id."),
    "range beyond the end": (
        sentence(line("1-3", head="_"), ROOT, line(2, head=1)),
        "1: Expected a multi-word token within 2 words, but came one that ends at 3. "
        "Add the missing words, or correct the range.",
    ),
    "missing blank line": (
        sentence(ROOT, "# sent_id = b", ROOT),
        "2: Expected comments above the words of a sentence only, but came '# sent_id = b'. "
        "Put a blank line before a new sentence, or remove the comment.",
    ),
    "nine columns": (
        sentence(ROOT, line(2, head=1).rpartition("\t")[0]),
        f"2: Expected 10 columns, but came 9 in '2\\tw\\t_\\tX\\t_\\t_\\t1\\tdep\\t_'. {TABS}",
    ),
    "eleven columns": (
        sentence(ROOT + "\t_"),
        f"1: Expected 10 columns, but came 11 in '1\\tw\\t_\\tX\\t_\\t_\\t0\\tdep\\t_\\t_\\t_'. {TABS}",
    ),
    "spaces for tabs": (
        sentence(ROOT.replace("\t", "  ")),
        f"1: Expected 10 columns, but came 1 in '1  w  _  X  _  _  0  dep  _  _'. {TABS}",
    ),
    "a tab alone": (ROOT + "\n\t\n", f"2: Expected 10 columns, but came 2 in '\\t'. {TABS}"),
    "byte order mark inside": (
        sentence(ROOT) + "\ufeff" + sentence("# a", ROOT),
        f"3: Expected 10 columns, but came 1 in '\\ufeff# a'. {TABS}",
    ),
    "other columns": (
        sentence("# global.columns = ID LEMMA FORM", ROOT),
        "1: Expected the ten columns of CoNLL-U, but came 'global.columns = ID LEMMA FORM'. "
        "Convert the file to CoNLL-U.",
    ),
    "no upos": (sentence(line(1, upos="")), f"1: Expected column UPOS {SPACES}, but came ''. {REMOVE}"),
    "double": (
        sentence(line(1, form="a  b")),
        f"1: Expected column FORM {SPACES}, but came 'a  b'. {REMOVE}",
    ),
    "trailing": (sentence(ROOT + " "), f"1: Expected column MISC {SPACES}, but came '_ '. {REMOVE}"),
    "leading": (sentence(" " + ROOT), f"1: Expected column ID {SPACES}, but came ' 1'. {REMOVE}"),
    "head is text": (
        sentence(ROOT, line(2, form="b", head="x")),
        "2: Expected a head from 0 to 2, but came 'x' at 'b'. Correct the head.",
    ),
    "head is empty": (
        sentence(ROOT, line(2, form="b", head="_")),
        "2: Expected a head from 0 to 2, but came '_' at 'b'. Correct the head.",
    ),
    "head beyond the end": (
        sentence(line(1, form="a", head=2)),
        "1: Expected a head from 0 to 1, but came '2' at 'a'. Correct the head.",
    ),
    "head below 0": (
        sentence(line(1, form="a", head=-1)),
        "1: Expected a head from 0 to 1, but came '-1' at 'a'. Correct the head.",
    ),
    "two roots": (
        sentence(ROOT, line(2, head=1), line(3)),
        f"3: Expected one word with head 0, but came 2. {ROOTS}",
    ),
    "no root": (
        sentence("# a", line(1, head=2), line(2, head=1)),
        f"2: Expected one word with head 0, but came 0. {ROOTS}",
    ),
    "cycle": (sentence(ROOT, line(2, form="b", head=3), line(3, head=2)), f"2: {CYCLE}"),
    "own head": (sentence(ROOT, line(2, form="b", head=2)), f"2: {CYCLE}"),
    "heads end": (
        sentence(ROOT) + sentence(line(1, head="_")),
        f"3: Expected heads as in the sentences above, but came none. {ALL}",
    ),
    "heads begin": (
        sentence(line(1, head="_")) + sentence(ROOT),
        f"3: Expected no heads as in the sentences above, but came some. {ALL}",
    ),
    "empty file": ("", f"1: {NO_SENTENCE}"),
    "comments only": ("# newdoc id = d\n\n", f"1: {NO_SENTENCE}"),
    "text without words": (sentence(ROOT) + sentence("# text = gone"), f"3: {NO_WORD}"),
    "empty node only": (sentence(line("0.1", head="_")), f"1: {NO_WORD}"),
    "Latin-1": (
        sentence(ROOT, line(2, form="é", head=1)).encode("latin-1"),
        "2: Expected UTF-8, but came byte 0xe9. Save the file as UTF-8.",
    ),
    "NUL": (
        sentence(ROOT, line(2, form="a\0", head=1)),
        "2: Expected text, but came a NUL character. Restore the file.",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_not_conllu_is_named_with_its_line(text, message, path):
    with pytest.raises(CorpusError) as caught:
        read(path, text)
    assert str(caught.value) == f"{path}:{message}"


def test_an_id_occurs_once_in_the_corpus(tmp_path):
    first, second = tmp_path / "a.conllu", tmp_path / "b.conllu"
    first.write_text(sentence("# sent_id = s", ROOT))
    second.write_text(sentence(ROOT) + sentence("# sent_id = s", ROOT))
    with pytest.raises(CorpusError) as caught:
        read_conllu({"train": [first], "test": [second]}, "two")
    assert str(caught.value) == (
        f"{second}:3: Expected an id of its own, but came 's', which stands at {first}:1 too. "
        "Give each sentence one '# sent_id', and each file once."
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CorpusError) as caught:
        read_conllu({"train": [tmp_path]}, "folder")
    assert str(caught.value) == (
        f"{tmp_path}:1: Expected a readable file, but came 'Is a directory'. Check the path and its permissions."
    )


@pytest.mark.corpus
def test_english_web_treebank_has_its_published_counts(corpus_data):
    folder = corpus_data / "ud-english-ewt"
    files = {split: [folder / f"en_ewt-ud-{split}.conllu"] for split in ("train", "dev", "test")}
    corpus = read_conllu(files, "ewt")
    counts = {
        split: (
            len(sentences),
            sum(len(one.words) for one in sentences),
            len({one.group for one in sentences}),
        )
        for split, sentences in corpus.splits.items()
    }
    assert counts == {"train": (12544, 204577, 540), "dev": (2001, 25147, 318), "test": (2077, 25094, 316)}
    assert all(one.tree and max(one.tree.depths()) < len(one.words) for one in corpus["train"])
