"""CoNLL-U treebanks: the syntactic words of every sentence, their annotation and their tree."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from sys import intern
from typing import Any

from conllu.exceptions import ParseException
from conllu.parser import DEFAULT_FIELDS, parse_comment_line, parse_id_value, parse_line

from probes.corpus.text import Line, line_error, read_blocks
from probes.types import Corpus, Sentence, Tree

Word = tuple[int, Mapping[str, Any]]  # the number of its line, and the library's token

COLUMNS = ("upos", "xpos", "lemma", "feats")
FIELDS = tuple(DEFAULT_FIELDS)
# By default the library would turn "_" into None and features into a dictionary; only ids are parsed here.
FIELD_PARSERS = {"id": lambda values, i: parse_id_value(values[i])}
# The library drops a comment without value, but an empty `# newdoc id =` still begins a document.
METADATA_PARSERS = {"newdoc id": lambda key, value: (key, value)}


def read_conllu(files: Mapping[str, Sequence[Path]], name: str) -> Corpus:
    """The sentences of each split's files, in their order.

    Words are the lines with an integer id: of a multi-word token (`1-2`) the syntactic words inside it count,
    an empty node (`8.1`) does not. Columns are upos, xpos, lemma and feats as written, "_" where empty; there
    is no tree where a file leaves all heads empty. The group is the document (`# newdoc`), else the sentence.
    Raises CorpusError with file and line for whatever is not CoNLL-U: no line is repaired or left out.
    """
    places: dict[str, str] = {}
    documents = count(1)
    splits = {
        split: tuple(sentence for path in paths for sentence in _read_file(path, places, documents))
        for split, paths in files.items()
    }
    return Corpus(name=name, splits=splits)


def _read_file(path: Path, places: dict[str, str], documents: Iterator[int]) -> list[Sentence]:
    """The sentences of one file; their ids enter `places`, a document without id takes a number."""
    sentences: list[Sentence] = []
    group = ""
    for block in read_blocks(path):
        metadata = _metadata(path, block)
        if "newdoc" in metadata or "newdoc id" in metadata:
            group = metadata.get("newdoc id") or f"{path.stem}-newdoc-{next(documents)}"
        is_note = all(line.startswith("#") for _, line in block) and not metadata.keys() & {"sent_id", "text"}
        if is_note:
            continue
        sentence_id = metadata.get("sent_id") or f"{path.stem}-{len(sentences) + 1}"
        sentence = _sentence(path, block, sentence_id=sentence_id, text=metadata.get("text") or "", group=group)
        number = block[0][0]
        if sentence_id in places:
            expected, came = "an id of its own", f"{sentence_id!r}, which stands at {places[sentence_id]} too"
            raise line_error(path, number, expected, came, "Give each sentence one '# sent_id', and each file once.")
        if sentences and (sentence.tree is None) != (sentences[0].tree is None):
            expected, came = ("no heads", "some") if sentence.tree else ("heads", "none")
            expected += " as in the sentences above"
            raise line_error(path, number, expected, came, "Annotate all sentences of a file, or none.")
        places[sentence_id] = f"{path}:{number}"
        sentences.append(sentence)
    if not sentences:
        raise line_error(path, 1, "sentences", "a file without any", "Fill the file, or remove it.")
    return sentences


def _sentence(path: Path, block: Sequence[Line], *, sentence_id: str, text: str, group: str) -> Sentence:
    words = _words(path, block)
    if not words:
        raise line_error(path, block[0][0], "words", "a sentence without any", "Add its words, or remove it.")
    return Sentence(
        id=sentence_id,
        words=_column(words, "form"),
        text=text,
        group=group or sentence_id,
        columns={column: _column(words, column) for column in COLUMNS},
        tree=_tree(path, words),
    )


def _column(words: Sequence[Word], field: str) -> tuple[str, ...]:
    return tuple(intern(token[field]) for _, token in words)


def _metadata(path: Path, block: Sequence[Line]) -> dict[str, str | None]:
    for (_, above), (number, line) in pairwise(block):
        if line.startswith("#") and not above.startswith("#"):
            advice = "Put a blank line before a new sentence, or remove the comment."
            raise line_error(path, number, "comments above the words of a sentence only", f"{line[:60]!r}", advice)
    comments = [line for _, line in block if line.startswith("#")]
    metadata = dict(pair for line in comments for pair in parse_comment_line(line, METADATA_PARSERS))
    columns = metadata.get("global.columns") or " ".join(FIELDS)
    if columns.lower().split() != list(FIELDS):
        came = f"'global.columns = {columns}'"
        raise line_error(path, block[0][0], "the ten columns of CoNLL-U", came, "Convert the file to CoNLL-U.")
    return metadata


def _words(path: Path, block: Sequence[Line]) -> list[Word]:
    """The tokens with an integer id, once every id has been found in its place."""
    words: list[Word] = []
    range_ends: list[tuple[int, int]] = []
    for number, line in block:
        if line.startswith("#"):
            continue
        token = _token(path, number, line)
        match token["id"]:
            case int(word) if word == len(words) + 1:
                words.append((number, token))
            case (int(start), "-", int(end)) if start == len(words) + 1:
                range_ends.append((number, end))
            case (int(word), ".", int()) if word == len(words):
                pass  # an empty node stands after its word
            case _:
                advice = "Number the words 1, 2, 3, …, and put a blank line between sentences."
                raise line_error(path, number, f"id {len(words) + 1}", repr(line.partition("\t")[0]), advice)
    for number, end in range_ends:
        if end > len(words):
            expected, came = f"a multi-word token within {len(words)} words", f"one that ends at {end}"
            raise line_error(path, number, expected, came, "Add the missing words, or correct the range.")
    return words


def _token(path: Path, number: int, line: str) -> Mapping[str, Any]:
    """One line through the library, unless it is one of those that the library would guess at."""
    values = line.split("\t")
    if len(values) != len(FIELDS):
        came = f"{len(values)} in {line[:60]!r}"
        advice = "Put one tab between columns, and '_' where one is empty."
        raise line_error(path, number, f"{len(FIELDS)} columns", came, advice)
    for field, value in zip(FIELDS, values, strict=True):
        # The library takes two spaces for the border of a column.
        if not value or value[0] == " " or value[-1] == " " or "  " in value:
            expected = f"column {field.upper()} without outer or double spaces"
            raise line_error(path, number, expected, repr(value), "Remove the spaces; '_' marks an empty column.")
    try:
        return parse_line(line, FIELDS, FIELD_PARSERS)
    except ParseException as error:
        advice = "Correct the id."
        raise line_error(path, number, "an id such as 3, 3-4 or 3.1", repr(values[0]), advice) from error


def _tree(path: Path, words: Sequence[Word]) -> Tree | None:
    if all(token["head"] == "_" for _, token in words):
        return None
    known = {str(head): head for head in range(len(words) + 1)}
    for number, token in words:
        if token["head"] not in known:
            came = f"{token['head']!r} at {token['form']!r}"
            raise line_error(path, number, f"a head from 0 to {len(words)}", came, "Correct the head.")
    heads = tuple(known[token["head"]] for _, token in words)
    roots = [number for (number, _), head in zip(words, heads, strict=True) if head == 0]
    if len(roots) != 1:
        number = roots[1] if roots else words[0][0]
        raise line_error(path, number, "one word with head 0", f"{len(roots)}", "Give the sentence one root.")
    word = _find_cycle(heads)
    if word:
        number, token = words[word - 1]
        came = f"a cycle through {token['form']!r}"
        raise line_error(path, number, "heads that lead to the root", came, "Correct one head of the cycle.")
    return Tree(heads=heads, relations=_column(words, "deprel"))


def _find_cycle(heads: Sequence[int]) -> int:
    """The first word that is its own ancestor, 0 where there is none.

    >>> _find_cycle((2, 0, 2)), _find_cycle((2, 1, 0)), _find_cycle((0, 3, 2))
    (0, 1, 2)
    """
    settled = {0}
    for start in range(1, len(heads) + 1):
        word, path = start, set()
        while word not in settled:
            if word in path:
                return word
            path.add(word)
            word = heads[word - 1]
        settled |= path
    return 0
