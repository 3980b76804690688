"""A tokenised text as the encoder reads it: whole, cut, or in overlapping windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenizers import Encoding

from probes.errors import CorpusError

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces that are read together, special pieces included, and the rows that are taken from them.

    `words[i]` has its vector from pieces `spans[i]`, first to last, counted in this window; for the vector of a
    sentence there is one row, word 0.
    """

    pieces: Sequence[int]
    segments: Sequence[int]
    words: tuple[int, ...]
    spans: tuple[Span, ...]


def cut_windows(spans: Mapping[int, Span], num_pieces: int, room: int) -> dict[int, tuple[int, ...]]:
    """Windows of `room` pieces, each half a window after the one before, by their first piece; the last ends with the
    text.

    `spans` are first and last piece of each word, in order. A word is read in the window that holds all of its
    pieces and whose nearer edge is farthest away, where the ends of the text are no edges; of two such windows in
    the earlier. Windows that read no word are left out. Raises CorpusError for a word that no window holds.

    >>> cut_windows({word: (word, word) for word in range(10)}, 10, room=6)
    {0: (0, 1, 2, 3, 4), 3: (5, 6), 4: (7, 8, 9)}
    """
    starts = [*range(0, num_pieces - room, max(1, room // 2)), num_pieces - room]
    words: dict[int, list[int]] = {start: [] for start in starts}
    for word, (first, last) in spans.items():
        holding = [start for start in starts if start <= first and last < start + room]
        if not holding:
            raise CorpusError(
                f"word {word + 1} has {last - first + 1} pieces, too many for windows of {room} that overlap by half"
            )
        words[max(holding, key=lambda start: _context(start, first, last, num_pieces, room))].append(word)
    return {start: tuple(chosen) for start, chosen in words.items() if chosen}


def _context(start: int, first: int, last: int, num_pieces: int, room: int) -> int:
    """Pieces between a word and the nearer edge of a window."""
    before = first - start if start > 0 else num_pieces
    after = start + room - 1 - last if start + room < num_pieces else num_pieces
    return min(before, after)


@dataclass(frozen=True, slots=True)
class Ends:
    """How many special pieces a tokenizer put before and after a text."""

    opening: int
    closing: int

    @staticmethod
    def of(encoding: Encoding) -> "Ends":
        special = encoding.special_tokens_mask
        inner = [position for position, is_special in enumerate(special) if not is_special]
        if not inner:
            return Ends(len(special), 0)
        return Ends(inner[0], len(special) - 1 - inner[-1])


def take_window(encoding: Encoding, ends: Ends, start: int, end: int) -> tuple[list[int], list[int]]:
    """Pieces and segments of the text from `start` to `end`, between the special pieces of the whole."""
    closing = len(encoding.ids) - ends.closing
    first, last = ends.opening + start, ends.opening + end
    ids, types = encoding.ids, encoding.type_ids
    pieces, segments = ([*all_[: ends.opening], *all_[first:last], *all_[closing:]] for all_ in (ids, types))
    return pieces, segments
