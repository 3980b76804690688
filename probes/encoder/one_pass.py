"""One pass of a corpus through an encoder, into one cache or into several whose vectors are other pieces' means."""

from contextlib import ExitStack
from dataclasses import dataclass, field

from probes.encoder.make import Making


@dataclass
class Pass:
    """What every process does for all caches of a pass, and which batches are its own.

    The encoders of the caches have the same states and the same plan of batches, so each batch goes through one of
    them, for every cache that lacks it.
    """

    makings: tuple[Making, ...]
    mine: list[int] = field(default_factory=list, init=False)
    """Batches that this process computes."""

    def prepare(self) -> None:
        """Prepare every cache; in one order of locks everywhere, so that no two processes wait for each other."""
        for making in sorted(self.makings, key=lambda one: one.place):
            making.prepare()

    def join(self, rank: int, num_processes: int) -> None:
        """Open what was prepared; this process takes every n-th of the batches that a cache lacks."""
        for making in self.makings:
            making.join(rank)
        self.mine = sorted(set().union(*(making.missing for making in self.makings)))[rank::num_processes]

    def lacking(self, number: int) -> list[Making]:
        """The caches that a batch is computed for."""
        return [making for making in self.makings if number in making.missing]

    def num_rows(self, number: int) -> int:
        """Rows of a batch, the same in every cache."""
        return len(self.lacking(number)[0].plan.rows.rows(number))

    def sync(self) -> None:
        for making in self.makings:
            making.sync()

    def finish(self) -> None:
        for making in self.makings:
            making.finish()

    def close(self) -> None:
        """Close every cache, whatever happened to the others."""
        with ExitStack() as stack:
            for making in self.makings:
                stack.callback(making.close)
