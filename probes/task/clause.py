"""Tasks on the main clause: the tense of its verb, the number of its subject and object."""

from collections.abc import Callable, Collection

from probes.seed import generator
from probes.task.balance import Labels, balance
from probes.task.word import find_column, find_tree, parse_features
from probes.types import Corpus, Sentence, Tree

TENSES = ("Past", "Pres")
NUMBERS = ("Plur", "Sing")
_NOMINAL = frozenset({"NOUN", "PROPN", "PRON"})

Reader = Callable[[Sentence, Corpus], str | None]


def root_tense(corpus: Corpus, seed: int) -> Labels:
    """Past or Pres of the main clause's finite verb (Conneau et al. 2018, section 2, Tense); classes of equal size."""
    return _balanced("root_tense", read_tense, corpus, seed)


def subject_number(corpus: Corpus, seed: int) -> Labels:
    """Sing or Plur of the main clause's subject (Conneau et al. 2018, section 2, SubjNum); classes of equal size."""
    return _balanced("subject_number", read_subject_number, corpus, seed)


def object_number(corpus: Corpus, seed: int) -> Labels:
    """Sing or Plur of the main clause's object (Conneau et al. 2018, section 2, ObjNum); classes of equal size."""
    return _balanced("object_number", read_object_number, corpus, seed)


def read_tense(sentence: Sentence, corpus: Corpus) -> str | None:
    """The feature Tense of the finite word of the main clause.

    That is the first auxiliary or copula of the root that is finite, else the root itself if it is a finite verb:
    "has left" is Pres. None without such a word or without the feature, as in "will leave" and in imperatives.
    """
    name = "root_tense"
    tree, feats = find_tree(name, sentence, corpus), find_column(name, "feats", sentence, corpus)
    upos = find_column(name, "upos", sentence, corpus)
    helpers = _children(tree, tree.root, ("aux", "aux:pass", "cop"))
    verbs = [*helpers, *([tree.root] if upos[tree.root] in ("VERB", "AUX") else [])]
    finite = [word for word in verbs if "VerbForm=Fin" in feats[word].split("|")]
    return _feature(feats[finite[0]], "Tense", TENSES) if finite else None


def read_subject_number(sentence: Sentence, corpus: Corpus) -> str | None:
    """The number of the root's first nsubj; "there is" and "there are" have theirs behind the verb."""
    return _number("subject_number", sentence, corpus, ("nsubj", "nsubj:pass"))


def read_object_number(sentence: Sentence, corpus: Corpus) -> str | None:
    """The number of the root's first obj."""
    return _number("object_number", sentence, corpus, ("obj",))


def _number(name: str, sentence: Sentence, corpus: Corpus, relations: Collection[str]) -> str | None:
    """The number of a noun, name or pronoun; Plur where another is coordinated with it, None without the feature."""
    tree, feats = find_tree(name, sentence, corpus), find_column(name, "feats", sentence, corpus)
    upos = find_column(name, "upos", sentence, corpus)
    found = _children(tree, tree.root, relations)
    if not found or upos[found[0]] not in _NOMINAL:
        return None
    number = _feature(feats[found[0]], "Number", NUMBERS)
    return "Plur" if number and _children(tree, found[0], ("conj",)) else number


def _balanced(name: str, read: Reader, corpus: Corpus, seed: int) -> Labels:
    labels = {}
    for split in corpus.splits:
        found = [read(sentence, corpus) for sentence in corpus[split]]
        labels[split] = balance(found, generator(seed, f"task.{name}.{split}"))
    return labels


def _children(tree: Tree, head: int, relations: Collection[str]) -> list[int]:
    return [word for word in tree.children(head) if tree.relations[word] in relations]


def _feature(feats: str, key: str, known: Collection[str]) -> str | None:
    """A value of a word's features; None if it has none, or one that is not among the known.

    >>> _feature("Mood=Ind|Tense=Past", "Tense", ("Past", "Pres"))
    'Past'
    """
    value = parse_features(feats).get(key)
    return value if value in known else None
