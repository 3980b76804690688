"""A few sentences in padded batches, with the pieces of every word: what is edited, hidden and read back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from tokenizers import Encoding
from torch import Tensor

from probes.encoder.align import pooled_span, word_spans
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.plan import plan_batches
from probes.encoder.pool import RowPieces, find_pieces, pool_rows


@dataclass(frozen=True)
class WordBatch:
    """Texts that are read together, on the encoder's device. Words are numbered through the whole sample."""

    inputs: dict[str, Int[Tensor, "text piece"]]
    word: Int[Tensor, "text piece"]
    """The word of each piece; -1 for special pieces and padding."""
    rows: Int[np.ndarray, " row"]
    """The words of the batch in the order in which their vectors come."""
    found: RowPieces
    """The pieces of which each vector is the mean."""

    def pool(self, state: Float[Tensor, "text piece dim"]) -> Float[Tensor, "row dim"]:
        """The vector of every word, taken from its pieces as a cache has them."""
        return pool_rows(state, self.found)

    def hide(self, is_hidden: Bool[np.ndarray, " word"], mask_id: int) -> dict[str, Int[Tensor, "text piece"]]:
        """The texts with [MASK] in place of every piece of some words."""
        chosen = torch.from_numpy(is_hidden).to(self.word.device)
        hidden = (self.word >= 0) & chosen[self.word.clamp_min(0)]
        return self.inputs | {"input_ids": self.inputs["input_ids"].masked_fill(hidden, mask_id)}


@dataclass(frozen=True)
class WordSample:
    """Sentences cut into pieces; made by `read_sample`. All of it is in memory."""

    encoder: FrozenEncoder
    encodings: tuple[Encoding, ...]
    first_word: Int[np.ndarray, " sentence"]
    """Number of the first word of each sentence."""
    num_pieces: Int[np.ndarray, " word"]
    """Pieces of every word; 0 where the tokenizer leaves none, and in sentences that are too long."""
    too_long: Bool[np.ndarray, " sentence"]
    """Sentences that the encoder cannot read whole. They are in no batch."""

    def batches(self) -> Iterator[WordBatch]:
        """Every sentence that is not too long, longest first, within the encoder's budget of pieces."""
        kept = np.flatnonzero(~self.too_long)
        lengths = [len(self.encodings[number].ids) for number in kept]
        for chosen in plan_batches(lengths, self.encoder.config.batch_pieces):
            yield self._read(kept[chosen])

    def _read(self, sentences: Int[np.ndarray, " text"]) -> WordBatch:
        read = [self.encodings[number] for number in sentences]
        inputs = self.encoder.pad_pieces([one.ids for one in read], [one.type_ids for one in read])
        word = np.full(inputs["input_ids"].shape, -1, dtype=np.int64)
        how = self.encoder.pooling("word")
        rows, spans = [], []
        for text, (number, one) in enumerate(zip(sentences, read, strict=True)):
            first_word = int(self.first_word[number])
            for place, span in word_spans(one.word_ids).items():
                word[text, span[0] : span[1] + 1] = first_word + place
                rows.append(first_word + place)
                spans.append((text, *pooled_span(span, how)))
        device = self.encoder.device
        found = torch.tensor(spans, dtype=torch.int64, device=device).reshape(-1, 3).unbind(dim=1)
        return WordBatch(
            {name: part.to(device) for name, part in inputs.items()},
            torch.from_numpy(word).to(device),
            np.asarray(rows, dtype=np.int64),
            find_pieces(*found, num_pieces=word.shape[1]),
        )


def read_sample(encoder: FrozenEncoder, sentences: Sequence[tuple[str, ...]]) -> WordSample:
    """Cut sentences of words into pieces; one that the encoder cannot read whole is left out, not cut."""
    encodings = encoder.cut_into_pieces(sentences)
    first_word = np.cumsum([0, *(len(words) for words in sentences)])
    num_pieces = np.zeros(first_word[-1], dtype=np.int64)
    too_long = np.asarray([len(one.ids) > encoder.max_pieces for one in encodings], dtype=bool)
    for number in np.flatnonzero(~too_long):
        for place, (first, last) in word_spans(encodings[number].word_ids).items():
            num_pieces[first_word[number] + place] = last - first + 1
    return WordSample(encoder, tuple(encodings), first_word[:-1], num_pieces, too_long)
