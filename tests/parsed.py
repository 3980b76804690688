"""Sentences with a tree and features, written in one line."""

from collections.abc import Sequence

from probes.types import Corpus, Sentence, Tree


def parsed(sentence_id: str, line: str, group: str = "") -> Sentence:
    """A sentence from words written as form/UPOS/head/relation or form/UPOS/head/relation/features."""
    rows = [(*word.split("/"), "_")[:5] for word in line.split()]
    forms, upos, heads, relations, feats = zip(*rows, strict=True)
    return Sentence(
        sentence_id,
        forms,
        text=" ".join(forms),
        group=group or sentence_id,
        columns={"upos": upos, "feats": feats},
        tree=Tree(tuple(map(int, heads)), relations),
    )


def copies(line: str, number: int) -> tuple[Sentence, ...]:
    """The same words under several ids."""
    return tuple(parsed(f"s-{copy}", line) for copy in range(number))


def only_train(sentences: Sequence[Sentence]) -> Corpus:
    return Corpus("made", {"train": tuple(sentences)})
