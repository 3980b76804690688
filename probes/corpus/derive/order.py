"""Another order of words, in which the capital of the first word does not tell where it stood."""

from collections.abc import Sequence

from probes.types import Sentence


def reordered(sentence: Sentence, order: Sequence[int]) -> tuple[str, ...]:
    """The words at the positions `order`, with the capital of the former first word moved to the new one.

    The former first word keeps its capital too if it has it anywhere: a proper noun, "I", a word of capitals, or
    one whose lemma has it ("American"). A sentence that begins without a capital has none to move.

    >>> sentence = Sentence("s", ("What", "are", "you", "doing"), columns={"upos": ("PRON", "AUX", "PRON", "VERB")})
    >>> reordered(sentence, (1, 0, 2, 3))
    ('Are', 'what', 'you', 'doing')
    """
    words, first, start = list(sentence.words), sentence.words[0], order[0]
    if start != 0 and first[:1].isupper():
        words[0] = first if _keeps_capital(sentence) else _with_first(first, first[0].lower())
        words[start] = _with_first(words[start], words[start][0].upper())
    return tuple(words[position] for position in order)


def _keeps_capital(sentence: Sentence) -> bool:
    first = sentence.words[0]
    lemma = sentence.columns["lemma"][0] if "lemma" in sentence.columns else first.lower()
    is_name = sentence.columns["upos"][0] == "PROPN" or first == "I" or lemma[:1].isupper()
    return is_name or (len(first) > 1 and first.isupper())


def _with_first(word: str, letter: str) -> str:
    return letter + word[1:]
