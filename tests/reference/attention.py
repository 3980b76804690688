"""The slow, obvious way from attention maps to what heads do with words: one sentence, one head, loops over pieces."""

import math
from dataclasses import dataclass

import numpy as np

from probes.encoder.frozen import FrozenEncoder
from probes.types import Sentence


@dataclass
class SlowHead:
    """One head over one sentence; `map[i, j]` is the attention from piece i to piece j."""

    map: np.ndarray
    pieces: dict[int, list[int]]
    """The pieces of each word that has one."""
    opening: int = 1
    closing: int = 1

    def word_attention(self, first: int, second: int) -> float:
        """From word to word: mean over the pieces of the one, sum over those of the other."""
        rows = [sum(self.map[i, j] for j in self.pieces[second]) for i in self.pieces[first]]
        return float(sum(rows) / len(rows))

    def attends_most(self, word: int) -> int:
        """The other word that a word attends to most; -1 without one."""
        return self._largest({other: self.word_attention(word, other) for other in self.pieces if other != word})

    def attended_most_by(self, word: int) -> int:
        """The other word that attends to a word most; -1 without one."""
        return self._largest({other: self.word_attention(other, word) for other in self.pieces if other != word})

    def statistics(self) -> dict[str, tuple[float, int]]:
        """Sum over pieces, or words, and how many these are."""
        length = len(self.map)
        rows = [self.map[i] for part in self.pieces.values() for i in part]
        places = [i for part in self.pieces.values() for i in part]
        distances = [one for one in map(self._distance, self.pieces) if one is not None]
        both = list(zip(places, rows, strict=True))
        size = len(rows)
        return {
            "entropy_bits": (sum(-sum(p * math.log2(p) for p in row if p > 0) for row in rows), size),
            "cls_share": (sum(sum(row[: self.opening]) for row in rows), size),
            "sep_share": (sum(sum(row[length - self.closing :]) for row in rows), size),
            "self_share": (sum(row[i] for i, row in both), size),
            "previous_share": (sum(row[i - 1] for i, row in both if i > 0), size),
            "next_share": (sum(row[i + 1] for i, row in both if i + 1 < length), size),
            "distance_words": (sum(distances), len(distances)),
        }

    def _distance(self, word: int) -> float | None:
        shares = {other: self.word_attention(word, other) for other in self.pieces if other != word}
        total = sum(shares.values())
        return sum(abs(word - other) * share for other, share in shares.items()) / total if total > 0 else None

    @staticmethod
    def _largest(shares: dict[int, float]) -> int:
        best = max(shares, key=lambda other: shares[other], default=-1)
        return best if best >= 0 and shares[best] > 0 else -1


def slow_heads(encoder: FrozenEncoder, sentence: Sentence) -> list[list[SlowHead]]:
    """Every head of every block on a sentence that is read alone."""
    reading = encoder([sentence.words], attentions=True)
    assert reading.attentions is not None
    pieces: dict[int, list[int]] = {}
    for place, word in enumerate(encoder.tokenize([sentence.words]).word_ids(0)):
        if word is not None:
            pieces.setdefault(word, []).append(place)
    return [[SlowHead(of_head, pieces) for of_head in block[0].double().numpy()] for block in reading.attentions]
