"""Which encoder, which of its states, and at which precision."""

import re
from typing import Literal

from pydantic import Field

from probes.config.setting import Settings

Dtype = Literal["float32", "bfloat16", "float16"]


class TwinConfig(Settings):
    """An untrained copy of the encoder."""

    kind: Literal["untrained", "random_blocks", "kept_norms"] = "untrained"
    """`untrained`: every parameter is drawn anew. `random_blocks`: pretrained embeddings under random blocks.
    `kept_norms`: as published by Jawahar et al. (2019), Linear and Embedding weights from Xavier's uniform
    distribution with biases of .01, while every LayerNorm stays as it was trained."""
    seed: int = Field(default=0, ge=0)
    """Seed of the new weights."""


class EncoderConfig(Settings):
    """A frozen encoder and how vectors are taken from it."""

    name: str = "bert-base-uncased"
    """Hub name, local folder, or `pkg:package/folder` for weights inside an installed package."""
    revision: str | None = None
    """Branch, tag or commit on the Hub."""
    twin: TwinConfig | None = None
    """Take an untrained copy instead of the pretrained weights."""
    num_layers: int | None = Field(default=None, ge=1)
    """Build the first k blocks only; their states equal states 0..k of the full encoder."""
    word: Literal["first", "last", "mean"] | None = None
    """The vector of a word: its first piece, its last piece, or the mean of its pieces; by default the first,
    and the last for decoders, whose first piece has not read the others."""
    sentence: Literal["cls", "mean", "pooler"] | None = None
    """The vector of a sentence: the first piece ([CLS]), the mean over all pieces that are not padding, or the
    encoder's own pooler on [CLS]; by default [CLS], and the mean for decoders, whose first piece has read nothing
    else. The pooler belongs to the last layer, whose vector is `pooler_output`; at the others it is applied to their
    [CLS] alike."""
    length: Literal["error", "truncate", "window"] = "error"
    """What happens to a text of more than `max_pieces` pieces. `window`: it is read in windows that overlap by
    half, and each word has its vector from the window in which it stands farthest from an edge."""
    max_pieces: int | None = Field(default=None, ge=3)
    """Longest text in pieces, special pieces included; by default as many as the encoder has positions."""
    pieces: Literal["own", "wordpiece"] = "own"
    """How a word is cut. `wordpiece`: at once into WordPieces, without the tokenizer's normaliser and its cuts at
    punctuation, as Hewitt and Manning's (2019) code does it; what an uncased vocabulary lacks is unknown then."""
    segments: Literal["own", "ones"] = "own"
    """Segment of every piece. `ones`: the second segment for all, as Hewitt and Manning's (2019) code feeds it."""
    lost_words: Literal["error", "drop"] = "error"
    """What happens to a word of which the tokenizer leaves no piece."""
    load_dtype: Dtype = "float32"
    """Precision of the weights."""
    compute_dtype: Dtype = "float32"
    """Precision of matrix products in the forward pass."""
    store_dtype: Literal["float32", "float16"] | None = None
    """Precision on disk; by default float16 for words and float32 for sentences ([CLS] of low layers varies
    by about 1e-3, which float16 would blur)."""
    attention: Literal["sdpa", "eager"] = "sdpa"
    """Attention implementation; attention maps exist with `eager` only."""
    batch_pieces: int = Field(default=2048, ge=1)
    """Pieces, padding included, that go through the encoder together."""
    compile: bool = False
    """Compile the encoder with `torch.compile` first; values may differ from an uncompiled one in the last bits."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the encoder computes; `auto` takes a GPU if there is one."""

    @property
    def slug(self) -> str:
        """A short name for people, as it stands in the names of files and caches."""
        parts = [part for part in re.split(r"[/:]", self.name) if part]
        is_packaged = self.name.startswith("pkg:") and parts[-1] == "model"
        name = parts[1] if is_packaged else parts[-1]
        twin = self.twin
        suffix = f"-{twin.kind}-{twin.seed}" if twin else ""
        return re.sub(r"[^a-z0-9]+", "-", f"{name}{suffix}".lower()).strip("-")
