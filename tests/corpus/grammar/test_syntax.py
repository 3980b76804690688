from probes.corpus.grammar.inflection import SINGULAR
from probes.corpus.grammar.phrase import Phrase
from probes.corpus.grammar.syntax import Node, detokenise, leaf, linearise
from probes.corpus.grammar.verb import Predicate, Style, finite
from probes.types import Tree


def test_a_small_clause_is_annotated_as_known_by_hand():
    subject = Node("dog", "dog", "NOUN", "Number=Sing", "nsubj", (leaf("the", "the", "DET", "_", "det"),))
    said = Predicate("intransitive", "verb", leaf("sleep", "sleep", "VERB", "_", "root"))
    asked = Style("Pres", negation="not", is_inverted=True)
    nodes, tree = linearise(finite(said, Phrase(subject, SINGULAR, "animal"), style=asked, relation="root"))
    assert [node.form for node in nodes] == ["does", "the", "dog", "not", "sleep"]
    assert tree == Tree(heads=(5, 3, 5, 5, 0), relations=("aux", "det", "nsubj", "advmod", "root"))


def test_text_joins_clitics_and_marks_to_the_word_before():
    words = ("Does", "n't", "Anna", "'s", "dog", ",", "the", "boys", "'", "friend", ",", "sleep", "?")
    assert detokenise(words) == "Doesn't Anna's dog, the boys' friend, sleep?"
