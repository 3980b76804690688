"""Readers by name, one call for all of them."""

import json
from collections.abc import Callable
from dataclasses import astuple
from hashlib import sha256
from importlib.metadata import entry_points
from inspect import Parameter, signature
from typing import Any

from probes.config import CorpusConfig, logical_name
from probes.corpus.conllu import read_conllu
from probes.corpus.grammar import generate
from probes.corpus.locate import find_splits
from probes.errors import ConfigError, CorpusError, list_names
from probes.types import Corpus


def read_treebank(path: str) -> Corpus:
    """A treebank in CoNLL-U; the names of its files say their splits."""
    return read_conllu(find_splits(path), name=logical_name(path))


# Readers take `path` if they read files, and their own options by keyword.
READERS: dict[str, Callable[..., Corpus]] = {"conllu": read_treebank, "grammar": generate}


def read_corpus(source: str | CorpusConfig) -> Corpus:
    """A corpus by its settings, by a path or pattern of CoNLL-U files, or `"grammar"` for the built-in one.

    Raises ConfigError for an unknown reader or option, CorpusError for files that are missing or malformed.
    """
    if isinstance(source, str):
        source = CorpusConfig(reader="grammar") if source == "grammar" else CorpusConfig(path=source)
    reader = _find(source.reader)
    given: dict[str, Any] = dict(source.options)
    if source.path is not None:
        given["path"] = source.path
    _check_options(source.reader, reader, given)
    return reader(**given)


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
