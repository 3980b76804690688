"""The text that an encoder is pre-trained on: files of lines, a part of each held out, and its pieces in blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from tokenizers import BertWordPieceTokenizer
from transformers import BertTokenizerFast

import probes
from probes.errors import CorpusError

VOCABULARY = 8_192
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Every hundredth run of lines is held out: neighbours stay together, and no file is left out whole.
RUN_LINES, HELD_OUT_EVERY = 50, 100


@dataclass(frozen=True, slots=True)
class Text:
    """Lines for training and lines that no training sees, file by file."""

    train: dict[str, tuple[str, ...]]
    held_out: dict[str, tuple[str, ...]]

    @property
    def hash(self) -> str:
        parts = (line for lines in self.train.values() for line in lines)
        return sha256("\n".join(parts).encode("utf-8")).hexdigest()[:16]


def read_text(folder: Path, treebank: str | None) -> Text:
    """All `.txt` files of a folder, and the training part of a treebank; raises CorpusError where there is no text.

    A treebank's dev and test are never read.
    """
    files = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted(folder.glob("*.txt"))}
    if not files:
        raise CorpusError(
            f"Text was expected in {folder}, one sentence or paragraph a line in files *.txt, but there are none. "
            f"Name another folder with --text, or set PROBES_DATA."
        )
    if treebank is not None:
        files["treebank"] = [" ".join(sentence.words) for sentence in probes.read_corpus(treebank)["train"]]
    kept = {name: [line.strip() for line in lines if line.strip()] for name, lines in files.items()}
    return Text(*({name: tuple(_part(lines, is_held)) for name, lines in kept.items()} for is_held in (False, True)))


def _part(lines: Sequence[str], is_held: bool) -> Iterator[str]:
    for number, line in enumerate(lines):
        if (number // RUN_LINES % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) is is_held:
            yield line


def train_tokenizer(text: Text, *, size: int = VOCABULARY) -> BertTokenizerFast:
    """A lower-case WordPiece tokenizer of the training lines, the same again for the same lines."""
    made = BertWordPieceTokenizer(lowercase=True)
    lines = (line for part in text.train.values() for line in part)
    made.train_from_iterator(lines, vocab_size=size, min_frequency=2, special_tokens=list(SPECIAL), show_progress=False)
    # The trainer numbers pieces anew each time: in the order of their letters they have one number.
    pieces = [*SPECIAL, *sorted(set(made.get_vocab()) - set(SPECIAL))]
    ordered = BertWordPieceTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, lowercase=True)
    return BertTokenizerFast(tokenizer_object=ordered._tokenizer, do_lower_case=True, model_max_length=512)


def pack(tokenizer: BertTokenizerFast, files: dict[str, tuple[str, ...]]) -> UInt16[np.ndarray, " piece"]:
    """The pieces of all lines one after another, without special ones; files follow each other."""
    parts = []
    for lines in files.values():
        for start in range(0, len(lines), 1000):
            encoded = tokenizer(list(lines[start : start + 1000]), add_special_tokens=False)["input_ids"]
            parts += [np.asarray(one, dtype=np.uint16) for one in encoded]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint16)


def blocks_of(stream: UInt16[np.ndarray, " piece"], length: int, tokenizer: BertTokenizerFast) -> np.ndarray:
    """[block, length] of consecutive pieces, each between [CLS] and [SEP]; what is left at the end is not used."""
    inner = length - 2
    number = len(stream) // inner
    if number == 0:
        raise CorpusError(
            f"At least {inner} pieces were expected for one block of {length}, but the text has {len(stream)}. "
            f"Give more text."
        )
    blocks = np.empty((number, length), dtype=np.uint16)
    blocks[:, 0], blocks[:, -1] = tokenizer.cls_token_id, tokenizer.sep_token_id
    blocks[:, 1:-1] = stream[: number * inner].reshape(number, inner)
    return blocks
