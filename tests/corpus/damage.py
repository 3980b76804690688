"""Random bytes, and random edits of a valid file, for the readers."""

from hypothesis import strategies as st


def damaged(
    sample: bytes, pieces: tuple[bytes, ...], *, max_bytes: int = 40, max_edits: int = 3
) -> st.SearchStrategy[bytes]:
    """Bytes of no kind, or the sample with a few places where others stand, often some that mean something there."""
    piece = st.binary(max_size=3) | st.sampled_from(pieces)
    edits = st.lists(st.tuples(st.integers(0, len(sample)), st.integers(0, 4), piece), max_size=max_edits)
    return st.binary(max_size=max_bytes) | edits.map(lambda found: edit(sample, found))


def edit(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """The bytes with, one after the other, some taken out at a place and others put there."""
    for start, num_removed, piece in edits:
        data = data[:start] + piece + data[start + num_removed :]
    return data
