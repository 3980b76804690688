"""What each derivation changes in a sentence, and which sentences it leaves out."""

from collections import Counter
from dataclasses import replace

import pytest

from probes.corpus.derive import derive
from probes.corpus.derive.coordination import find_clauses
from probes.corpus.derive.odd import find_by_bigrams, find_by_frequency
from probes.corpus.derive.usage import count_usage
from probes.types import Corpus, Sentence
from tests.parsed import copies, only_train, parsed

TWO = (
    "He/PRON/2/nsubj left/VERB/0/root ,/PUNCT/6/punct and/CCONJ/6/cc she/PRON/6/nsubj "
    "stayed/VERB/2/conj here/ADV/6/advmod ./PUNCT/2/punct"
)


def changed(corpus: Corpus, name: str, seed: int = 0) -> Counter[str]:
    """The changed sentences of train as text, with how often each comes."""
    found = derive(corpus, name, seed)["train"]
    return Counter(" ".join(one.words) for one in found if one.attributes["label"] != "original")


def test_every_pair_of_neighbours_is_exchanged_in_some_copy():
    line = "The/DET/2/x dog/NOUN/3/x sees/VERB/0/x NASA/PROPN/3/x ;/PUNCT/3/x now/ADV/3/x Now/ADV/3/x on/ADV/3/x"
    assert set(changed(only_train(copies(line, 200)), "bigram_shift")) == {
        "Dog the sees NASA ; now Now on",
        "The sees dog NASA ; now Now on",
        "The dog NASA sees ; now Now on",
        "The dog sees NASA ; now on Now",
    }


@pytest.mark.parametrize(
    ("line", "shifted"),
    [
        ("I/PRON/0/x see/VERB/1/x ./PUNCT/1/x ./PUNCT/1/x ./PUNCT/1/x", "See I . . ."),
        ("Anna/PROPN/0/x sees/VERB/1/x ./PUNCT/1/x ./PUNCT/1/x ./PUNCT/1/x", "Sees Anna . . ."),
        ("OK/INTJ/0/x Anna/PROPN/1/x ./PUNCT/1/x ./PUNCT/1/x ./PUNCT/1/x", "Anna OK . . ."),
        ("A/DET/0/x dog/NOUN/1/x ./PUNCT/1/x ./PUNCT/1/x ./PUNCT/1/x", "Dog a . . ."),
        ("we/PRON/0/x see/VERB/1/x ./PUNCT/1/x ./PUNCT/1/x ./PUNCT/1/x", "see we . . ."),
    ],
)
def test_only_a_capital_of_the_first_place_moves(line, shifted):
    assert changed(only_train(copies(line, 4)), "bigram_shift") == {shifted: 2}


def test_a_capital_of_the_lemma_stays_with_the_word():
    line = "American/ADJ/0/x dogs/NOUN/1/x ./PUNCT/1/x ./PUNCT/1/x ./PUNCT/1/x"
    lemma = ("American", "dog", ".", ".", ".")
    sentences = [replace(one, columns={**one.columns, "lemma": lemma}) for one in copies(line, 4)]
    assert changed(only_train(sentences), "bigram_shift") == {"Dogs American . . .": 2}


def test_clauses_are_exchanged_around_their_conjunction():
    assert find_clauses(parsed("s", TWO)) == (2, 4, 7)
    assert changed(only_train(copies(TWO, 5)), "coordination_inversion") == {"She stayed here , and he left .": 2}


def test_clauses_without_any_punctuation_are_exchanged():
    line = "I/PRON/2/nsubj left/VERB/0/root but/CCONJ/5/cc Mary/PROPN/5/nsubj stayed/VERB/2/conj"
    assert changed(only_train(copies(line, 2)), "coordination_inversion") == {"Mary stayed but I left": 1}


def test_copular_and_existential_clauses_are_clauses():
    line = (
        "There/PRON/2/expl is/VERB/0/root hope/NOUN/2/nsubj and/CCONJ/7/cc she/PRON/7/nsubj:outer is/AUX/7/cop "
        "glad/ADJ/2/conj:and !/PUNCT/2/punct"
    )
    assert changed(only_train(copies(line, 2)), "coordination_inversion") == {"She is glad and there is hope !": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("she/PRON/6/nsubj", "then/ADV/6/advmod", id="the second has no subject"),
        pytest.param("He/PRON/2/nsubj", "Then/ADV/2/advmod", id="the first has no subject"),
        pytest.param("here/ADV/6/advmod", "here/ADV/2/conj", id="three conjuncts"),
        pytest.param("here/ADV/6/advmod", "here/ADV/2/advmod", id="a word behind the second belongs to the first"),
        pytest.param("here/ADV/6/advmod", "here/CCONJ/6/cc", id="two conjunctions"),
        pytest.param("and/CCONJ/6/cc", "and/CCONJ/6/advmod", id="no conjunction"),
        pytest.param("and/CCONJ/6/cc she/PRON/6/nsubj", "she/PRON/6/nsubj and/CCONJ/6/cc", id="a word before the link"),
        pytest.param("she/PRON/6/nsubj", "she/PUNCT/6/nsubj", id="punctuation behind the conjunction"),
        pytest.param("He/PRON/2/nsubj", "He/PUNCT/2/nsubj", id="punctuation at the start"),
        pytest.param("./PUNCT/2/punct", "./PUNCT/2/punct )/PUNCT/2/punct", id="a bracket at the end"),
        pytest.param(",/PUNCT/6/punct", "that/SCONJ/2/mark", id="the first is subordinate"),
        pytest.param("here/ADV/6/advmod", "here/SCONJ/6/mark", id="the second is subordinate"),
        pytest.param("stayed/VERB/2/conj", "stayed/VERB/2/parataxis", id="no conjunct"),
    ],
)
def test_other_coordinations_are_left_out(old, new):
    assert old in TWO
    assert find_clauses(parsed("s", TWO.replace(old, new))) is None


def test_a_sentence_that_begins_with_a_conjunction_is_left_out():
    line = "{}/3/x he/PRON/3/nsubj left/VERB/0/root and/CCONJ/6/cc she/PRON/6/nsubj stayed/VERB/3/conj"
    assert find_clauses(parsed("s", line.format("Then/ADV"))) == (3, 4, 6)
    assert find_clauses(parsed("s", line.format("And/CCONJ").replace("x", "cc", 1))) is None


def noun(word: str) -> str:
    return f"We/PRON/2/nsubj saw/VERB/0/root the/DET/4/det {word}/NOUN/2/obj/Number=Sing now/ADV/2/advmod"


def repeated(**counts: int) -> list[Sentence]:
    return [parsed(f"{word}-{copy}", noun(word)) for word, count in counts.items() for copy in range(count)]


def test_replacements_have_bigrams_within_one_log2_unit():
    usage = count_usage(repeated(dog=4, cat=2, cow=8, ant=1, bee=9))
    assert sorted(find_by_bigrams(usage, parsed("s", noun("dog")), 3, 0)) == ["cat", "cow"]
    # In train the word's own place is one of its counts, so 3 are compared.
    assert sorted(find_by_bigrams(usage, parsed("s", noun("dog")), 3, 1)) == ["cat"]
    assert find_by_bigrams(count_usage(repeated(dog=5, cat=2)), parsed("s", noun("dog")), 3, 1) == ["cat"]
    assert find_by_bigrams(usage, parsed("s", noun("ant")), 3, 1) == []
    assert find_by_bigrams(usage, parsed("s", noun("unknown")), 3, 0) == []


def test_the_two_ratios_count_on_average():
    # "the dog" 8 times and "dog now" twice, "the cat" twice and "cat now" twice: (2 + 0) / 2 = 1.
    inside = [replace(one, words=(*one.words[:4], "then")) for one in repeated(dog=6)]
    rows = [*repeated(cat=2), *inside, *[replace(one, id=f"x{one.id}") for one in repeated(dog=2)]]
    assert find_by_bigrams(count_usage(rows), parsed("s", noun("dog")), 3, 0) == ["cat"]
    more = [*rows, replace(inside[0], id="more")]
    assert find_by_bigrams(count_usage(more), parsed("s", noun("dog")), 3, 0) == []


def test_replacements_by_frequency_are_within_a_factor_of_two():
    usage = count_usage(repeated(dog=4, cat=2, cow=8, ant=1, bee=9))
    other = parsed("s", "One/NUM/2/nummod dog/NOUN/0/root/Number=Sing")
    assert find_by_frequency(usage, other, 1, 0) == ["cat", "cow"]
    assert find_by_frequency(usage, other, 1, 1) == ["cat"]
    assert find_by_frequency(usage, parsed("s", "Two/NUM/2/nummod dog/NOUN/0/root/Number=Plur"), 1, 0) == []


def test_a_replacement_has_the_same_features():
    plural = [parsed(f"s-{n}", noun("oxen").replace("Sing", "Plur")) for n in range(4)]
    assert find_by_bigrams(count_usage([*plural, *repeated(dog=4)]), parsed("s", noun("dog")), 3, 0) == []


def test_a_replacement_at_the_start_has_a_capital():
    line = "{}/NOUN/2/nsubj/Number=Sing came/VERB/0/root {}/NOUN/2/x/Number=Sing by/ADV/2/x {}/ADV/2/x"
    rows = [("Rain", "dogs", "now"), ("Snow", "cats", "then"), ("Rain", "snow", "now"), ("Snow", "rain", "then")]
    train = [parsed(f"s-{n}", line.format(*row)) for n, row in enumerate(rows * 3)]
    found = changed(only_train(train), "odd_man_out")
    assert found.total() == 6
    assert all(text.split()[0] in ("Rain", "Snow", "Dogs", "Cats") for text in found)


def test_only_sentences_with_a_replacement_are_used():
    derived = derive(only_train(repeated(dog=2, cat=3)), "odd_man_out")
    # A dog sentence leaves 1 dog against 3 cats; a cat sentence leaves 2 cats against 2 dogs.
    assert [one.id for one in derived["train"]] == ["cat-0", "cat-1", "cat-2"]
    assert changed(only_train(repeated(dog=2, cat=3)), "odd_man_out") == {"We saw the dog now": 1}


def test_a_word_is_replaced_only_where_it_is_written_as_mostly():
    loud = [replace(one, id=f"loud-{one.id}", words=tuple(map(str.upper, one.words))) for one in repeated(cat=1)]
    derived = derive(only_train([*repeated(dog=2, cat=3), *loud]), "odd_man_out")
    assert {one.id.split("-")[0] for one in derived["train"]} == {"cat"}
