"""Readers by name, one call for all of them."""

import json
from collections.abc import Callable
from dataclasses import astuple, replace
from hashlib import sha256
from importlib.metadata import entry_points
from inspect import Parameter, signature
from typing import Any

from probes.config import CorpusConfig, logical_name
from probes.corpus.columns import read_columns
from probes.corpus.conllu import read_conllu
from probes.corpus.cut import cut_dev, rename_splits
from probes.corpus.edges import read_edges
from probes.corpus.grammar import generate
from probes.corpus.locate import find_splits
from probes.corpus.pairs import read_pairs
from probes.corpus.phrase import group_phrases
from probes.corpus.plain import read_plain
from probes.corpus.planted import generate_planted
from probes.corpus.questions import read_questions
from probes.corpus.senteval import read_senteval
from probes.corpus.table import read_table
from probes.errors import ConfigError, CorpusError, list_names
from probes.types import Corpus, Sentence


def read_treebank(path: str, genre: bool = False) -> Corpus:
    """A treebank in CoNLL-U; the names of its files say their splits.

    `genre`: the name of a document says its genre before the first hyphen, as in English EWT (`weblog-...`); scores are
    given for each genre too.
    """
    corpus = read_conllu(find_splits(path), name=logical_name(path))
    if not genre:
        return corpus
    splits = {split: tuple(_with_genre(one) for one in part) for split, part in corpus.splits.items()}
    return Corpus(corpus.name, splits)


def _with_genre(sentence: Sentence) -> Sentence:
    genre, hyphen, _ = sentence.group.partition("-")
    if not hyphen or not genre:
        raise CorpusError(
            f"The document of sentence {sentence.id!r} should say its genre before a hyphen, but is "
            f"{sentence.group!r}. Leave corpus.options.genre out."
        )
    return replace(sentence, attributes={**sentence.attributes, "genre": genre})


# Readers take `path` if they read files, and their own options by keyword.
READERS: dict[str, Callable[..., Corpus]] = {
    "conllu": read_treebank,
    "grammar": generate,
    "table": read_table,
    "edges": read_edges,
    "pairs": read_pairs,
    "columns": read_columns,
    "questions": read_questions,
    "senteval": read_senteval,
    "plain": read_plain,
    "planted": generate_planted,
}

BUILT_IN = ("grammar", "planted")


def read_corpus(source: str | CorpusConfig) -> Corpus:
    """A corpus by its settings, by a path or pattern of CoNLL-U files, or built in: `"grammar"` or `"planted"`.

    Raises ConfigError for an unknown reader or option, CorpusError for files that are missing or malformed.
    """
    if isinstance(source, str):
        source = CorpusConfig(reader=source) if source in BUILT_IN else CorpusConfig(path=source)
    reader = _find(source.reader)
    given: dict[str, Any] = dict(source.options)
    if source.path is not None:
        given["path"] = source.path
    _check_options(source.reader, reader, given)
    corpus = reader(**given)
    if source.rename:
        corpus = rename_splits(corpus, source.rename)
    if source.group_phrases:
        corpus = group_phrases(corpus)
    if source.dev_share is not None:
        corpus = cut_dev(corpus, share=source.dev_share, seed=source.split_seed)
    others = {f"test-{name}": _read_beside(name, other) for name, other in source.beside.items()}
    return replace(corpus, splits={**corpus.splits, **others}) if others else corpus


def _read_beside(name: str, source: CorpusConfig) -> tuple[Sentence, ...]:
    """The test split of another corpus; its ids may be those of the first, so they say where they are from."""
    return tuple(replace(one, id=f"{name}/{one.id}") for one in read_corpus(source)["test"])


def corpus_hash(corpus: Corpus) -> str:
    """Hash of everything in a corpus: splits, ids, text, groups and annotations."""
    digest = sha256()
    for split, sentences in corpus.splits.items():
        digest.update(f"split {split}".encode())
        for sentence in sentences:
            tree = [sentence.tree.heads, sentence.tree.relations] if sentence.tree else None
            annotation = [sorted(sentence.columns.items()), sorted(sentence.attributes.items()), tree]
            values = [sentence.id, sentence.words, sentence.text, sentence.group, annotation]
            values += [sentence.pair] if sentence.pair else []
            values += [[astuple(span) for span in sentence.spans]] if sentence.spans else []
            digest.update(json.dumps(values).encode())
    return digest.hexdigest()


def _find(name: str) -> Callable[..., Corpus]:
    if name in READERS:
        return READERS[name]
    found = {point.name: point for point in entry_points(group="probes.readers")}
    if name not in found:
        raise ConfigError(
            f"Unknown reader {name!r}. Known readers are {list_names(name, [*READERS, *found])}. "
            f"Choose one of these, or offer your own as an entry point 'probes.readers'."
        )
    return found[name].load()


def _check_options(name: str, reader: Callable[..., Corpus], given: dict[str, Any]) -> None:
    known = signature(reader).parameters
    for option in given:
        if option not in known:
            raise ConfigError(
                f"Reader {name!r} has no option {option!r}; its options are {list_names(option, known)}. Rename it."
            )
    for option, parameter in known.items():
        if parameter.default is Parameter.empty and option not in given:
            raise CorpusError(f"Reader {name!r} needs corpus.{option}, but it is not given. Add it.")
