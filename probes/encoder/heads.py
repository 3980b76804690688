"""A split through the encoder for its attention: every map is reduced to words while its batch is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.encoder.attention import PieceWords, describe_heads, most_attended, word_maps
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.plan import plan_batches
from probes.encoder.scan import Scan
from probes.encoder.scanner import scan_corpus
from probes.encoder.text import read_texts
from probes.encoder.window import Ends
from probes.errors import ConfigError, EncoderError
from probes.types import Corpus, RowIndex

# A map grows with the square of a text. Up to this length a batch holds as many pieces as it does for states; beyond
# it fewer, so that the maps of no batch take more than those of texts of this length.
FULL_PIECES = 128


@dataclass(frozen=True, slots=True)
class HeadBatch:
    """What every head does with the words of a few sentences."""

    sentence: Int[np.ndarray, " text"]
    """Number of each sentence in its split."""
    row: Int[np.ndarray, " word"]
    """Row of each word in the split's index."""
    attended: Int[np.ndarray, "direction block head word"]
    """Row of the word that is most attended, or that attends most, by DIRECTIONS; -1 where there is none."""
    sums: Float[np.ndarray, "statistic block head text"]
    """Each of STATISTICS summed over a text."""
    sizes: Float[np.ndarray, "statistic block head text"]
    """Over how many pieces or words."""


@dataclass(frozen=True)
class HeadReader:
    """The tokenised split; made by `read_heads`."""

    encoder: FrozenEncoder
    split: str
    scan: Scan
    ends: Ends

    @property
    def index(self) -> RowIndex:
        """The words that have all their pieces, in corpus order."""
        return self.scan.index(self.split)

    @property
    def num_lost(self) -> int:
        """Words of which the tokenizer leaves no piece."""
        return sum(map(len, self.scan.lost.values()))

    @property
    def num_cut(self) -> int:
        """Words beyond the longest text that the encoder reads."""
        return sum(map(len, self.scan.cut.values()))

    def batches(self) -> Iterator[HeadBatch]:
        """Every sentence once, longest first; maps live for as long as their batch is computed.

        Raises EncoderError for attention that is not a finite number.
        """
        lengths = self.scan.columns["window_pieces"].astype(np.int64)
        cells = lengths * np.maximum(lengths, FULL_PIECES)
        for windows in plan_batches(cells, self.encoder.config.batch_pieces * FULL_PIECES):
            yield self._read(windows)

    def _read(self, windows: Int[np.ndarray, " text"]) -> HeadBatch:
        columns, offsets = self.scan.columns, self.scan.piece_offsets
        pieces, segments = (
            [columns[name][offsets[window] : offsets[window + 1]] for window in windows]
            for name in ("piece", "segment")
        )
        batch = self.encoder.pad_pieces(pieces, segments)
        sentences = columns["window_sentence"][windows].astype(np.int64)
        words = self._find_words(sentences, batch["attention_mask"])
        attended, sums, sizes = self._reduce(
            {name: part.to(self.encoder.device) for name, part in batch.items()}, words
        )
        self._check(sums, sentences)
        is_word = words.is_word.cpu().numpy()
        first = self.scan.row_offsets[sentences]
        rows = first[:, None] + np.arange(is_word.shape[1])
        found = np.where(attended >= 0, attended + first[:, None, None], -1)
        by_word = found.swapaxes(2, 3)[..., is_word]
        return HeadBatch(sentences, rows[is_word], by_word, sums, sizes)

    @torch.inference_mode()
    def _reduce(self, batch: dict[str, Tensor], words: PieceWords) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """[direction, block, text, head, word] of most attended words; [statistic, block, head, text] twice."""
        maps = list(self.encoder.forward(batch, attentions=True).attentions)
        found = []
        while maps:
            of_block = maps.pop(0)  # the maps of a block go when the next one is looked at
            attention = word_maps(of_block, words)
            found.append((most_attended(attention, words), *describe_heads(of_block, attention, words)))
        attended, sums, sizes = (torch.stack(part, dim=1).cpu().numpy() for part in zip(*found, strict=True))
        return attended, sums.swapaxes(2, 3), sizes.swapaxes(2, 3)

    def _find_words(self, sentences: Int[np.ndarray, " text"], mask: Int[Tensor, "text piece"]) -> PieceWords:
        offsets, columns = self.scan.row_offsets, self.scan.columns
        num_words = offsets[sentences + 1] - offsets[sentences]
        num_texts, num_pieces = mask.shape
        membership = np.zeros((num_texts, int(num_words.max()), num_pieces), dtype=np.float32)
        place = np.zeros(membership.shape[:2], dtype=np.int64)
        for text, sentence in enumerate(sentences):
            rows = slice(int(offsets[sentence]), int(offsets[sentence + 1]))
            place[text, : num_words[text]] = columns["word"][rows]
            for slot, (first, last) in enumerate(zip(columns["first"][rows], columns["last"][rows], strict=True)):
                membership[text, slot, first : last + 1] = 1
        position = torch.arange(num_pieces, device=mask.device).expand(mask.shape)
        length = mask.sum(dim=1, keepdim=True)
        return PieceWords(
            membership=torch.from_numpy(membership).to(mask.device),
            place=torch.from_numpy(place).to(mask.device),
            is_opening=position < self.ends.opening,
            is_closing=(position >= length - self.ends.closing) & (position < length),
        )

    def _check(self, sums: Float[np.ndarray, "statistic block head text"], sentences: Int[np.ndarray, " text"]) -> None:
        bad = np.argwhere(~np.isfinite(sums))
        if len(bad):
            _, block, head, text = bad[0]
            raise EncoderError(
                f"Attention should be finite numbers, but head {head + 1} of block {block + 1} of "
                f"{self.encoder.config.name!r} gives NaN or infinity in sentence "
                f"{self.scan.ids[self.split][sentences[text]]!r} of split {self.split!r}. Look at this sentence, or "
                f"compute in float32."
            )


@contextmanager
def read_heads(encoder: FrozenEncoder, corpus: Corpus, split: str) -> Iterator[HeadReader]:
    """A split tokenised for its attention; its pieces lie in a temporary folder, which goes with the context.

    Raises EncoderError for an encoder that forms no maps, ConfigError for texts in windows, and CorpusError for what
    cannot be read: an empty split, a text that is too long, a word that is lost (unless they may be).
    """
    _check_encoder(encoder)
    part = Corpus(corpus.name, {split: corpus[split]})
    texts = read_texts(part, "word")
    # Equal texts are read again: their trees need not be equal, and there are few.
    texts = replace(texts, first_of=np.arange(len(texts.first_of)))
    # Attention needs all pieces of a word, whichever of them make its vector.
    whole = replace(encoder, config=encoder.config.model_copy(update={"word": "mean"}))
    # The special pieces are the same around every text.
    ends = Ends.of(encoder.cut_into_pieces([("a",)])[0])
    with TemporaryDirectory(prefix="probes-heads-") as folder:
        yield HeadReader(encoder, split, scan_corpus(whole, part, "word", texts, Path(folder)), ends)


def _check_encoder(encoder: FrozenEncoder) -> None:
    if encoder.model.config._attn_implementation != "eager":
        raise EncoderError(
            f"Attention maps need encoder.attention: eager, but encoder {encoder.config.name!r} was loaded with "
            f"{encoder.config.attention!r}, which never forms them. Set encoder.attention to eager."
        )
    if encoder.config.length == "window":
        raise ConfigError(
            "encoder.length: window reads a text in parts, but a head attends within a whole text. "
            "Set encoder.length to truncate or error."
        )
