"""Minimal pairs (BLiMP, Warstadt et al. 2020): two sentences of which one is acceptable, in whole paradigms."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from probes.config import logical_name
from probes.corpus.jsonl import read_jsonl, text_field
from probes.corpus.locate import match_files
from probes.corpus.text import claim_id, line_error
from probes.errors import CorpusError, list_names
from probes.seed import generator
from probes.types import Corpus, Sentence

HELD_OUT = ("test", "dev")
FEWEST = 3  # paradigms of a phenomenon of which one goes to test and one to dev


def read_pairs(path: str, *, dev: str = "", test: str = "", seed: int = 0) -> Corpus:
    """Two sentences a pair, the good one first; dev and test hold whole paradigms that train never shows.

    A split is made of the paradigms that `dev` and `test` name, with commas between them. One that is not given takes
    one drawn paradigm of each phenomenon with three or more, as long as one stays for train. `path` is a folder of
    JSON lines, a file or a pattern. Raises CorpusError with file and line for whatever is no pair, and for an option
    that names an unknown paradigm.
    """
    paradigms = _read_paradigms(_find_files(path))
    phenomena = {name: sentences[0].attributes["phenomenon"] for name, sentences in paradigms.items()}
    named = _named({"test": test, "dev": dev}, phenomena)
    drawn = [split for split in HELD_OUT if split not in named.values()]
    split_of = _draw(phenomena, named, drawn, seed)
    splits: dict[str, list[Sentence]] = {"train": [], "dev": [], "test": []}
    for name, sentences in paradigms.items():
        splits[split_of.get(name, "train")].extend(sentences)
    if not splits["train"]:
        raise CorpusError(
            f"Some paradigm of {path!r} should stay for train, but 'dev' and 'test' name all {len(paradigms)}. "
            f"Name fewer."
        )
    return Corpus(logical_name(path), {split: tuple(sentences) for split, sentences in splits.items() if sentences})


def _find_files(path: str) -> list[Path]:
    is_file = path.endswith(".jsonl") or any(mark in path for mark in "*?[")
    # Of a folder match_files() takes the files whose names say a split; those of paradigms do not.
    return match_files(path if is_file else str(Path(path) / "*.jsonl"))


def _read_paradigms(files: Sequence[Path]) -> dict[str, list[Sentence]]:
    """The sentences of each paradigm, in the order of the files."""
    places: dict[str, str] = {}
    paradigms: dict[str, list[Sentence]] = {}
    for path in files:
        for number, row in read_jsonl(path):
            good, bad = _pair(path, number, row)
            advice = "Give each pair of a paradigm its own 'pairID', and each file once."
            claim_id(places, good.group, path, number, advice)
            name, phenomenon = good.attributes["paradigm"], good.attributes["phenomenon"]
            known = paradigms.setdefault(name, [])
            if known and known[0].attributes["phenomenon"] != phenomenon:
                expected = f"phenomenon {known[0].attributes['phenomenon']!r}, as above for paradigm {name!r}"
                advice = "Give a paradigm one 'linguistics_term'."
                raise line_error(path, number, expected, repr(phenomenon), advice)
            known += (good, bad)
    return paradigms


def _pair(path: Path, number: int, row: dict[str, Any]) -> tuple[Sentence, Sentence]:
    """The good and the bad sentence, which may be the same: a few pairs of BLiMP are."""
    names = ("sentence_good", "sentence_bad", "linguistics_term", "UID", "pairID")
    good, bad, phenomenon, paradigm, pair_id = (text_field(path, number, row, name) for name in names)
    pair = f"{paradigm}-{pair_id}"
    shared = {"phenomenon": phenomenon, "paradigm": paradigm, "pair": pair}
    return (
        Sentence(id=f"{pair}-good", text=good, group=pair, attributes={"label": "good", **shared}),
        Sentence(id=f"{pair}-bad", text=bad, group=pair, attributes={"label": "bad", **shared}),
    )


def _named(options: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The split of each paradigm that an option names."""
    named: dict[str, str] = {}
    for split, option in options.items():
        for name in (part.strip() for part in option.split(",") if option):
            if name not in known:
                raise CorpusError(
                    f"Option {split!r} should name paradigms, but names {name!r}. "
                    f"Known paradigms are {list_names(name, known)}. Choose of these, with commas between them."
                )
            if named.setdefault(name, split) != split:
                raise CorpusError(
                    f"A paradigm should be held out once, but 'dev' and 'test' both name {name!r}. "
                    f"Take it out of one of them."
                )
    return named


def _draw(phenomena: Mapping[str, str], named: Mapping[str, str], drawn: Sequence[str], seed: int) -> dict[str, str]:
    """The split of each paradigm that is held out: those named, and of each phenomenon one for each split drawn."""
    split_of = dict(named)
    for phenomenon in sorted(set(phenomena.values())):
        names = sorted(name for name in phenomena if phenomena[name] == phenomenon)
        order = generator(seed, f"corpus.pairs.{phenomenon}").permutation(len(names))
        free = [names[position] for position in order if names[position] not in named]
        if len(names) >= FEWEST and len(free) > len(drawn):
            split_of |= dict(zip(free, drawn, strict=False))
    return split_of
