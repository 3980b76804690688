import subprocess
import sys
from collections import Counter, defaultdict
from hashlib import sha256
from itertools import pairwise

import pytest

from probes.corpus.grammar import corpus as grammar
from probes.corpus.grammar import generate
from probes.corpus.grammar.inflection import article
from probes.corpus.grammar.syntax import detokenise, leaf
from probes.errors import CorpusError
from probes.types import Corpus, Sentence

CORPUS = generate()
SENTENCES = [sentence for split in CORPUS.splits.values() for sentence in split]
UPOS = "ADJ ADP ADV AUX CCONJ DET NOUN NUM PART PRON PROPN PUNCT SCONJ VERB"


def fingerprint(corpus: Corpus) -> str:
    return sha256(repr(sorted(corpus.splits.items())).encode()).hexdigest()


def lowered(sentence: Sentence) -> tuple[str, ...]:
    return tuple(word.lower() for word in sentence.words)


def children(sentence: Sentence, head: int) -> list[int]:
    assert sentence.tree is not None
    return [word for word, other in enumerate(sentence.tree.heads) if other == head + 1]


def relation(sentence: Sentence, word: int) -> str:
    assert sentence.tree is not None
    return sentence.tree.relations[word]


def root_of(sentence: Sentence) -> int:
    assert sentence.tree is not None
    return sentence.tree.heads.index(0)


def finite_of(sentence: Sentence) -> int:
    root, upos = root_of(sentence), sentence.columns["upos"]
    auxiliaries = [word for word in children(sentence, root) if upos[word] == "AUX"]
    return next((word for word in auxiliaries if marks(sentence, word).get("VerbForm") == "Fin"), root)


def subject_of(sentence: Sentence) -> int:
    found = {relation(sentence, word): word for word in children(sentence, root_of(sentence))}
    return next(found[name] for name in ("nsubj", "nsubj:pass", "expl") if name in found)


def marks(sentence: Sentence, word: int) -> dict[str, str]:
    feats = sentence.columns["feats"][word]
    return {} if feats == "_" else dict(pair.split("=") for pair in feats.split("|"))


def number_of(sentence: Sentence, word: int) -> str | None:
    if any(relation(sentence, child) == "conj" for child in children(sentence, word)):
        return "Plur"
    return marks(sentence, word).get("Number")


def is_tree(heads: tuple[int, ...]) -> bool:
    if heads.count(0) != 1:
        return False
    for word in range(1, len(heads) + 1):
        steps = 0
        while word:
            word, steps = heads[word - 1], steps + 1
            if steps > len(heads):
                return False
    return True


def is_projective(heads: tuple[int, ...]) -> bool:
    arcs = [(min(word, head), max(word, head)) for word, head in enumerate(heads, start=1)]
    return not any(a < c < b < d for a, b in arcs for c, d in arcs)


def word_majority(corpus: Corpus) -> tuple[float, float]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    for sentence in corpus["train"]:
        for word, upos in zip(lowered(sentence), sentence.columns["upos"], strict=True):
            counts[word][upos] += 1
            total[upos] += 1
    pairs = [pair for s in corpus["test"] for pair in zip(lowered(s), s.columns["upos"], strict=True)]
    right = sum(counts.get(word, total).most_common(1)[0][0] == upos for word, upos in pairs)
    return right / len(pairs), sum(word not in counts for word, _ in pairs) / len(pairs)


def test_the_same_seed_gives_the_same_corpus():
    assert fingerprint(generate(300, seed=5)) == fingerprint(generate(300, seed=5))


def test_another_process_gives_the_same_corpus():
    script = (
        "from hashlib import sha256; from probes.corpus.grammar import generate;"
        "print(sha256(repr(sorted(generate(300, seed=5).splits.items())).encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint(generate(300, seed=5))


def test_another_seed_gives_other_sentences():
    one, other = generate(300, seed=0), generate(300, seed=1)
    assert len({lowered(s) for s in one["train"]} & {lowered(s) for s in other["train"]}) < 12


@pytest.mark.parametrize(("size", "lengths"), [(300, (240, 30, 30)), (30, (24, 3, 3)), (39, (33, 3, 3))])
def test_splits_hold_80_10_and_10_percent(size, lengths):
    corpus = generate(size)
    assert tuple(len(corpus[split]) for split in ("train", "dev", "test")) == lengths


def test_no_sentence_stands_in_two_splits_or_twice_in_one():
    assert len({lowered(sentence) for sentence in SENTENCES}) == len(SENTENCES) == 4000


def test_ids_are_unique_and_each_sentence_is_its_own_group():
    assert [sentence.id for sentence in SENTENCES] == [f"grammar-{number:06d}" for number in range(4000)]
    assert all(sentence.group == sentence.id for sentence in SENTENCES)


def test_every_tree_has_one_root_no_cycle_and_no_crossing_arcs():
    for sentence in SENTENCES:
        assert sentence.tree is not None
        heads = sentence.tree.heads
        assert len(heads) == len(sentence.tree.relations) == len(sentence.words)
        assert is_tree(heads)
        assert is_projective(heads)
        assert sentence.tree.relations[heads.index(0)] == "root"
        assert sentence.tree.relations.count("root") == 1


def test_the_checkers_of_trees_refuse_what_is_no_tree():
    assert not is_tree((0, 0))
    assert not is_tree((2, 1, 0))
    assert not is_tree((2, 1))
    assert not is_projective((3, 4, 0, 3))


def test_sentences_begin_with_a_capital_and_end_with_a_mark():
    for sentence in SENTENCES:
        assert sentence.words[0][0].isupper() or sentence.words[0][0].isdigit()
        assert sentence.words[-1] in (".", "?")
        assert relation(sentence, len(sentence.words) - 1) == "punct"
        assert sentence.text == detokenise(sentence.words)


def test_the_twin_differs_in_the_main_finite_verb_alone():
    with_twin = [sentence for sentence in SENTENCES if "twin" in sentence.attributes]
    assert len(with_twin) >= 0.6 * len(SENTENCES)
    for sentence in with_twin:
        twin = sentence.attributes["twin"].split(" ")
        pairs = enumerate(zip(sentence.words, twin, strict=True))
        differing = [word for word, (form, other) in pairs if form != other]
        assert differing == [int(sentence.attributes["twin_word"])] == [finite_of(sentence)]
        assert {marks(sentence, finite_of(sentence)).get("Number")} == {sentence.attributes["subject_number"]}


def test_the_twin_shows_the_other_number():
    seen = set()
    for sentence in SENTENCES:
        word = finite_of(sentence)
        if "twin" in sentence.attributes and sentence.columns["lemma"][word] in ("be", "have", "do"):
            seen.add((sentence.words[word].lower(), sentence.attributes["twin"].split(" ")[word].lower()))
    pairs = {("is", "are"), ("was", "were"), ("has", "have"), ("does", "do")}
    assert seen == pairs | {pair[::-1] for pair in pairs}


def test_finite_verbs_agree_with_their_subjects():
    for sentence in SENTENCES:
        subject_number = number_of(sentence, subject_of(sentence))
        assert marks(sentence, finite_of(sentence)).get("Number", subject_number) == subject_number


def test_subject_and_object_number_equal_those_read_off_the_tree():
    seen = set()
    for sentence in SENTENCES:
        assert sentence.attributes["subject_number"] == number_of(sentence, subject_of(sentence))
        below = children(sentence, root_of(sentence))
        objects = [word for word in below if relation(sentence, word) == "obj"]
        expected = number_of(sentence, objects[0]) if objects else None
        assert sentence.attributes.get("object_number") == expected
        seen.add(expected)
    assert seen == {None, "Sing", "Plur"}


def test_tense_and_depth_equal_those_read_off_the_tree():
    for sentence in SENTENCES:
        assert sentence.tree is not None
        assert sentence.attributes["tense"] == marks(sentence, finite_of(sentence))["Tense"]
        assert sentence.attributes["depth"] == str(max(sentence.tree.depths()))
    tenses = Counter(sentence.attributes["tense"] for sentence in SENTENCES)
    assert min(tenses.values()) > 0.35 * len(SENTENCES)


def test_attractors_equal_those_read_off_the_tree():
    found = Counter()
    for sentence in SENTENCES:
        subject, number = subject_of(sentence), sentence.attributes["subject_number"]
        count = 0
        for word in range(subject + 1, finite_of(sentence)):
            is_noun = sentence.columns["upos"][word] in ("NOUN", "PROPN")
            is_conjunct = relation(sentence, word) == "conj" and word in children(sentence, subject)
            count += is_noun and not is_conjunct and marks(sentence, word)["Number"] != number
        assert sentence.attributes["attractors"] == str(count)
        found[min(count, 2)] += 1
    assert found[1] > 200
    assert found[2] > 50


def test_part_of_speech_is_mostly_but_not_wholly_known_from_the_word():
    accuracy, unseen = word_majority(CORPUS)
    assert 0.86 < accuracy < 0.93
    assert 0.01 < unseen < 0.06


def test_every_part_of_speech_and_construction_occurs():
    assert {upos for sentence in SENTENCES for upos in sentence.columns["upos"]} == set(UPOS.split())
    constructions = Counter(sentence.attributes["construction"] for sentence in SENTENCES)
    assert len(constructions) == 25
    assert min(constructions.values()) >= 10


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("mark", {"SCONJ", "PART"}), ("case", {"ADP", "PART"}), ("cc", {"CCONJ"}), ("det", {"DET"}),
     ("aux", {"AUX"}), ("aux:pass", {"AUX"}), ("cop", {"AUX"}), ("nummod", {"NUM"}), ("amod", {"ADJ"}),
     ("obj", {"NOUN", "PRON", "PROPN"}), ("ccomp", {"VERB", "ADJ", "NOUN", "PROPN"}),
     ("punct", {"PUNCT"}), ("flat", {"PROPN"})],
)  # fmt: skip
def test_a_relation_takes_only_its_parts_of_speech(name, allowed):
    found = set()
    for sentence in SENTENCES:
        assert sentence.tree is not None
        pairs = zip(sentence.tree.relations, sentence.columns["upos"], strict=True)
        found |= {upos for other, upos in pairs if other == name}
    assert found <= allowed
    assert found


def test_ambiguous_words_occur_in_each_of_their_classes():
    seen = defaultdict(set)
    for sentence in SENTENCES:
        for word, upos in zip(lowered(sentence), sentence.columns["upos"], strict=True):
            seen[word].add(upos)
    assert seen["to"] == {"ADP", "PART"}
    assert seen["that"] == {"DET", "PRON", "SCONJ"}
    assert seen["before"] == seen["after"] == seen["since"] == {"ADP", "SCONJ"}
    assert seen["like"] == {"ADP", "VERB"}
    assert seen["light"] == {"ADJ", "NOUN", "VERB"}
    assert seen["watches"] == seen["plans"] == {"NOUN", "VERB"}
    assert seen["has"] == seen["had"] == {"AUX", "VERB"}
    assert seen["hard"] == {"ADJ", "ADV"}


def test_the_article_follows_the_sound_of_the_next_word():
    for sentence in SENTENCES:
        for word, following in pairwise(lowered(sentence)):
            assert word not in ("a", "an") or word == article(following)


def test_features_are_in_alphabetical_order():
    for sentence in SENTENCES:
        for feats in sentence.columns["feats"]:
            assert feats.split("|") == sorted(feats.split("|"))


def test_too_small_a_size_is_refused():
    with pytest.raises(CorpusError) as caught:
        generate(29)
    assert str(caught.value) == (
        "The corpus 'grammar' needs at least 30 sentences to fill train, dev and test, "
        "but got size=29 in generate(). Ask for size=30 or more."
    )


def test_a_negative_seed_is_refused():
    with pytest.raises(CorpusError) as caught:
        generate(100, seed=-1)
    assert str(caught.value) == (
        "The corpus 'grammar' needs a seed of 0 or more, but got seed=-1 in generate(). "
        "Give a whole number that is not negative."
    )


def test_more_sentences_than_the_grammar_can_give_are_refused(monkeypatch):
    few = (leaf(str(number % 40), "", "NUM", "_", "root") for number in range(10**6))
    monkeypatch.setattr(grammar, "sentence", lambda _: (next(few), "number"))
    with pytest.raises(CorpusError) as caught:
        generate(50)
    assert str(caught.value) == (
        "The corpus 'grammar' was asked for 50 distinct sentences, but after 40 came "
        "1000 repetitions in a row in generate(). Ask for size=40 or fewer."
    )
