"""The task `word_content`: which of thirty words does the sentence contain?"""

from collections import Counter
from collections.abc import Iterator

from probes.seed import generator
from probes.task.balance import Labels, balance
from probes.task.word import find_column
from probes.types import Corpus, Sentence

NUM_WORDS = 30
FEWEST_SENTENCES = 50
CONTENT = frozenset({"NOUN", "VERB", "ADJ", "ADV"})
_NAME = "word_content"


def word_content(corpus: Corpus, seed: int) -> Labels:
    """The one word of a fixed list that the sentence contains, in lower case (Conneau et al. 2018, section 2, WC).

    The list: the 30 words that stand in the most training sentences, in at least 50, among those whose
    occurrences in train are mostly tagged NOUN, VERB, ADJ or ADV. A sentence with none or several of them is no
    example; one that repeats its word is. Train is balanced by leaving out at random, dev and test are not.
    """
    chosen = choose_words(corpus)
    labels: Labels = {}
    for split in corpus.splits:
        found = [sorted(chosen & {word.lower() for word in one.words}) for one in corpus[split]]
        labels[split] = [words[0] if len(words) == 1 else None for words in found]
    labels["train"] = balance(labels["train"], generator(seed, f"task.{_NAME}.train"))
    return labels


def choose_words(corpus: Corpus) -> set[str]:
    """The words of the list."""
    sentences, occurrences, content = Counter(), Counter(), Counter()
    for one in corpus["train"]:
        tagged = list(_tagged(one, corpus))
        sentences.update({word for word, _ in tagged})
        occurrences.update(word for word, _ in tagged)
        content.update(word for word, upos in tagged if upos in CONTENT)
    known = [word for word, count in sentences.items() if count >= FEWEST_SENTENCES]
    fit = [word for word in known if 2 * content[word] > occurrences[word]]
    return set(sorted(fit, key=lambda word: (-sentences[word], word))[:NUM_WORDS])


def _tagged(sentence: Sentence, corpus: Corpus) -> Iterator[tuple[str, str]]:
    upos = find_column(_NAME, "upos", sentence, corpus)
    return zip((word.lower() for word in sentence.words), upos, strict=True)
