"""The corpus `grammar`: English sentences made by rules, whose annotation is exact because it made them."""

from collections.abc import Callable

from probes.corpus.grammar.construction import sentence
from probes.corpus.grammar.inflection import other_number
from probes.corpus.grammar.lexicon import dice
from probes.corpus.grammar.syntax import Node, detokenise, linearise
from probes.errors import CorpusError
from probes.seed import generator
from probes.types import Corpus, Sentence, Tree

_SMALLEST = 30
# After so many repetitions in a row the grammar has nothing new to say.
_PATIENCE = 1000
_FINITE_RELATIONS = frozenset({"aux", "aux:pass", "cop"})
_NOUNS = frozenset({"NOUN", "PROPN"})
_SUBJECTS = ("nsubj", "nsubj:pass")


def generate(size: int = 4000, seed: int = 0) -> Corpus:
    """Train, dev and test of about 80, 10 and 10 % of `size` sentences, no two of them the same words.

    Columns: `upos`, `lemma`, `feats` (Universal Dependencies); the tree follows UD with content heads.
    Attributes, all of the main clause: `tense`, `subject_number`, `object_number` (left out where there is
    no object, or "who" or "what"), `attractors` (nouns between the subject's head and the finite verb that
    have the other number), `construction`, and of the tree: `depth`. Most sentences have an ungrammatical
    `twin`, joined by spaces, that differs in the word `twin_word` (counted from 0): the finite verb in the
    wrong number. A larger size does not extend a smaller one.
    """
    if size < _SMALLEST:
        raise CorpusError(
            f"The corpus 'grammar' needs at least {_SMALLEST} sentences to fill train, dev and test, "
            f"but got size={size} in generate(). Ask for size={_SMALLEST} or more."
        )
    if seed < 0:
        raise CorpusError(
            f"The corpus 'grammar' needs a seed of 0 or more, but got seed={seed} in generate(). "
            f"Give a whole number that is not negative."
        )
    drawn = dice(generator(seed, "corpus.grammar", size))
    found = _distinct(lambda: sentence(drawn), size)
    sentences = [_annotated(f"grammar-{number:06d}", root, name) for number, (root, name) in enumerate(found)]
    held = size // 10
    splits = {
        "train": tuple(sentences[: size - 2 * held]),
        "dev": tuple(sentences[size - 2 * held : size - held]),
        "test": tuple(sentences[size - held :]),
    }
    return Corpus(name="grammar", splits=splits)


def _distinct(make: Callable[[], tuple[Node, str]], size: int) -> list[tuple[Node, str]]:
    seen: set[tuple[str, ...]] = set()
    found: list[tuple[Node, str]] = []
    repetitions = 0
    while len(found) < size:
        root, name = make()
        words = tuple(node.form.lower() for node in linearise(root)[0])
        if words not in seen:
            seen.add(words)
            found.append((root, name))
            repetitions = 0
            continue
        repetitions += 1
        if repetitions == _PATIENCE:
            raise CorpusError(
                f"The corpus 'grammar' was asked for {size} distinct sentences, but after {len(found)} came "
                f"{_PATIENCE} repetitions in a row in generate(). Ask for size={len(found)} or fewer."
            )
    return found


def _annotated(name: str, root: Node, construction: str) -> Sentence:
    nodes, tree = linearise(root)
    forms = [node.form for node in nodes]
    words = (forms[0][0].upper() + forms[0][1:], *forms[1:])
    attributes = {"construction": construction, "depth": str(max(tree.depths()))}
    attributes.update(_agreement(nodes, tree))
    attributes.update(_twin(nodes, words, tree))
    columns = {
        "upos": tuple(node.upos for node in nodes),
        "lemma": tuple(node.lemma for node in nodes),
        "feats": tuple(node.feats for node in nodes),
    }
    return Sentence(
        id=name,
        words=words,
        text=detokenise(words),
        group=name,
        columns=columns,
        attributes=attributes,
        tree=tree,
    )


def _agreement(nodes: list[Node], tree: Tree) -> dict[str, str]:
    root = tree.heads.index(0)
    finite = _finite(nodes, tree)
    subject = _child(tree, root, _SUBJECTS)
    # "There are keys" agrees with the keys; only without such a subject does the expletive count.
    subject = _child(tree, root, ("expl",)) if subject is None else subject
    assert subject is not None
    number = _number(nodes, tree, subject)
    other = "Number=Sing" if number == "Plur" else "Number=Plur"
    attractors = [
        word
        for word in range(subject + 1, finite)
        if nodes[word].upos in _NOUNS
        and other in nodes[word].feats
        and (tree.heads[word], tree.relations[word]) != (subject + 1, "conj")
    ]
    found = {
        "tense": "Past" if "Tense=Past" in nodes[finite].feats else "Pres",
        "subject_number": number,
        "attractors": str(len(attractors)),
    }
    thing = _child(tree, root, ("obj",))
    if thing is not None and "Number=" in nodes[thing].feats:
        found["object_number"] = _number(nodes, tree, thing)
    return found


def _finite(nodes: list[Node], tree: Tree) -> int:
    root = tree.heads.index(0)
    for word, (head, relation) in enumerate(zip(tree.heads, tree.relations, strict=True)):
        if head == root + 1 and relation in _FINITE_RELATIONS and "VerbForm=Fin" in nodes[word].feats:
            return word
    return root


def _child(tree: Tree, head: int, relations: tuple[str, ...]) -> int | None:
    for word, relation in enumerate(tree.relations):
        if tree.heads[word] == head + 1 and relation in relations:
            return word
    return None


def _number(nodes: list[Node], tree: Tree, head: int) -> str:
    is_plural = "Number=Plur" in nodes[head].feats or _child(tree, head, ("conj",)) is not None
    return "Plur" if is_plural else "Sing"


def _twin(nodes: list[Node], words: tuple[str, ...], tree: Tree) -> dict[str, str]:
    finite = _finite(nodes, tree)
    feats = nodes[finite].feats
    # "I" takes "have" and "walk" although it is singular: its twin would break person, not number.
    if "Number=" not in feats or "Number=Sing|Person=1" in feats:
        return {}
    form = other_number(nodes[finite].form, nodes[finite].lemma)
    if form is None:
        return {}
    form = form[0].upper() + form[1:] if finite == 0 else form
    return {"twin": " ".join((*words[:finite], form, *words[finite + 1 :])), "twin_word": str(finite)}
