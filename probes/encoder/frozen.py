"""A frozen encoder: what it reads, what it gives, and what must be recorded about it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from probes.config import EncoderConfig
from probes.encoder.align import How
from probes.errors import EncoderError
from probes.types import Pair, Unit

# Configuration that names or describes a checkpoint without changing a value it computes.
NOT_COMPUTED = {"_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype", "use_cache"}
FINAL_NORMS = ("ln_f", "final_norm", "final_layer_norm", "norm")


def has_segments(settings: Any) -> bool:
    """Whether a model, by its configuration, tells segments apart by an embedding."""
    return (getattr(settings, "type_vocab_size", 0) or 0) > 1


@dataclass(frozen=True, slots=True)
class Reading:
    """What an encoder says about a batch of texts.

    `hidden_states[0]` is the output of the embeddings, `hidden_states[k]` of block k; `last_hidden_state` is
    the last of them. `pooler_output` is tanh(W h + b) of the last [CLS] vector h: trained for BERT's
    next-sentence task, and not the same as `last_hidden_state[:, 0]`. `attentions[k]` are the maps of block
    k + 1. `mask` is 1 where a piece is, 0 on padding.
    """

    pieces: list[list[str]]
    mask: Int[Tensor, "sentence piece"]
    last_hidden_state: Float[Tensor, "sentence piece dim"]
    hidden_states: tuple[Float[Tensor, "sentence piece dim"], ...]
    pooler_output: Float[Tensor, "sentence dim"] | None = None
    attentions: tuple[Float[Tensor, "sentence head piece piece"], ...] | None = None

    @property
    def embedding_output(self) -> Float[Tensor, "sentence piece dim"]:
        """Word + position + segment embeddings after LayerNorm: layer `emb`."""
        return self.hidden_states[0]


@dataclass(frozen=True)
class FrozenEncoder:
    """An encoder in evaluation mode without gradients, with its tokenizer; made by `load_encoder`."""

    config: EncoderConfig
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def __call__(self, texts: Sequence[str | Pair | Sequence[str]], *, attentions: bool = False) -> Reading:
        """All states of a few texts (strings, pairs, or lists of words), read together in one padded batch.

        `pooler_output` is there when the encoder was loaded with `pooler=True`. Raises EncoderError for a text
        that is too long, and for attention maps of an encoder that was not loaded with `attention="eager"`.
        """
        if not texts:
            raise EncoderError(
                f"Encoder {self.config.name!r} needs at least one text to read, but got none. Give it a list of texts."
            )
        if attentions and self.model.config._attn_implementation != "eager":
            raise EncoderError(
                f"Attention maps need attention='eager', but encoder {self.config.name!r} was loaded with "
                f"{self.config.attention!r}, which never forms them. Load it with EncoderConfig(attention='eager')."
            )
        encoding = self.tokenize(texts)
        longest = max(len(pieces) for pieces in encoding["input_ids"])
        if longest > self.max_pieces:
            raise EncoderError(
                f"Encoder {self.config.name!r} reads at most {self.max_pieces} pieces, but a text has {longest}. "
                f"Shorten it, or encode a corpus with length: truncate."
            )
        batch = self.pad(encoding)
        output = self.forward(batch, attentions=attentions)
        return Reading(
            pieces=[
                [str(piece) for piece in self.tokenizer.convert_ids_to_tokens(ids)] for ids in encoding["input_ids"]
            ],
            mask=batch["attention_mask"],
            last_hidden_state=output.last_hidden_state,
            hidden_states=output.hidden_states,
            pooler_output=getattr(output, "pooler_output", None),
            attentions=output.attentions if attentions else None,
        )

    def tokenize(self, texts: Sequence[str | Pair | Sequence[str]], max_pieces: int | None = None) -> BatchEncoding:
        """Piece ids with the word of each piece. Cuts only if `max_pieces` is given; of a pair the longer text first.

        A saved tokenizer may cut and pad by itself (MiniLM's: to 128 pieces), so both are always set here.
        """
        are_pairs, are_split = isinstance(texts[0], Pair), not isinstance(texts[0], (str, Pair))
        first = [
            text.first if isinstance(text, Pair) else text if isinstance(text, str) else list(text) for text in texts
        ]
        return self.tokenizer(
            cast(list[str], first),
            [text.second for text in texts if isinstance(text, Pair)] if are_pairs else None,
            is_split_into_words=are_split,
            truncation=max_pieces is not None,
            max_length=max_pieces,
            padding=False,
            return_token_type_ids=True,
            verbose=False,
        )

    def cut_into_pieces(self, texts: Sequence[str | Pair | Sequence[str]]) -> list[Encoding]:
        """The same without cutting, straight from the Rust tokenizer: twice as fast over a corpus."""
        self._rules.no_truncation()
        self._rules.no_padding()
        are_split = not isinstance(texts[0], (str, Pair))
        inputs = [
            text if isinstance(text, str) else tuple(text) if isinstance(text, Pair) else list(text) for text in texts
        ]
        return self._rules.encode_batch(cast(Any, inputs), is_pretokenized=are_split)

    def cutter(self) -> Tokenizer:
        """A tokenizer of its own that cuts at `max_pieces`, of a pair the longer text first.

        Whether to cut is a state of a tokenizer, and the encoder's own may be at work in another thread.
        """
        rules = Tokenizer.from_str(self._rules.to_str())
        rules.no_padding()
        rules.enable_truncation(self.max_pieces, strategy="longest_first", direction="right")
        return rules

    def pad(self, encoding: BatchEncoding | dict[str, Any]) -> dict[str, Tensor]:
        """The batch as padded tensors on the encoder's device."""
        padded = self.pad_pieces(encoding["input_ids"], encoding["token_type_ids"])
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in padded.items()}

    def pad_pieces(
        self, pieces: Sequence[Sequence[int] | np.ndarray], segments: Sequence[Sequence[int] | np.ndarray]
    ) -> dict[str, Int[Tensor, "sentence piece"]]:
        """Texts as tensors of one length on the CPU, under the names that the model takes.

        Segments go in wherever the model has an embedding of segments, also if its tokenizer names none; nowhere
        else, since GPT-2 would take them for pieces. With `segments: ones` every piece is of the second.
        """
        shape = (len(pieces), max(len(text) for text in pieces))
        ids = np.full(shape, self.tokenizer.pad_token_id, dtype=np.int64)
        mask, types = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for number, text in enumerate(pieces):
            ids[number, : len(text)] = text
            mask[number, : len(text)] = 1
            types[number, : len(text)] = 1 if self.config.segments == "ones" else segments[number]
        made = {"input_ids": ids, "attention_mask": mask}
        if has_segments(self.model.config):
            made["token_type_ids"] = types
        return {name: torch.from_numpy(numbers) for name, numbers in made.items()}

    def forward(self, batch: dict[str, Tensor], attentions: bool = False) -> Any:
        """The model's own output for padded tensors, at the compute precision, with all hidden states."""
        compute = getattr(torch, self.config.compute_dtype)
        with torch.inference_mode(), torch.autocast(self.device.type, compute, enabled=compute != self.model.dtype):
            return self.model(**batch, output_hidden_states=True, output_attentions=attentions)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dim(self) -> int:
        """Numbers in a hidden state."""
        return self.model.config.hidden_size

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the hidden states: `emb`, then the blocks from `1`."""
        return ("emb", *(str(block) for block in range(1, self.model.config.num_hidden_layers + 1)))

    @property
    def is_post_norm(self) -> bool:
        """Whether the last state is of the same kind as those before it.

        False for pre-norm models, whose last state alone has passed the final norm.
        """
        return not any(hasattr(self.model, name) for name in FINAL_NORMS)

    @property
    def is_causal(self) -> bool:
        """Whether a piece reads only those before it, as in decoders: GPT-2, or a BERT with `is_decoder`."""
        kind = self.model.config.model_type
        is_decoder_family = kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
        return is_decoder_family or bool(getattr(self.model.config, "is_decoder", False))

    def pooling(self, unit: Unit) -> How:
        """How pieces become the vector of a word or of a sentence.

        Raises EncoderError for the first piece of a decoder as the vector of a sentence: it has read nothing else.
        """
        if unit == "word":
            return self.config.word or ("last" if self.is_causal else "first")
        if self.is_causal and self.config.sentence in ("cls", "pooler"):
            raise EncoderError(
                f"The first piece of a sentence should have read all others, but in {self.config.name!r} a piece reads "
                f"only those before it. Set encoder.sentence to mean."
            )
        if self.config.sentence == "pooler" and not hasattr(getattr(self.model, "pooler", None), "dense"):
            raise EncoderError(
                f"A pooler of BERT's kind (a linear map and tanh on [CLS]) was expected in {self.config.name!r}, but "
                f"{type(self.model).__name__} has another, or none. Set encoder.sentence to cls or mean."
            )
        return self.config.sentence or ("mean" if self.is_causal else "cls")

    def finish(self, rows: Float[Tensor, "row dim"], unit: Unit) -> Float[Tensor, "row dim"]:
        """What is done to a vector after its pieces are put together: the pooler, if it is asked for."""
        if unit == "sentence" and self.config.sentence == "pooler":
            pooler = cast(Any, self.model).pooler
            # As a text of one piece: the pooler reads the first.
            return pooler(rows[:, None].to(pooler.dense.weight.dtype)).float()
        return rows

    @property
    def max_pieces(self) -> int:
        """Longest input in pieces; RoBERTa numbers positions from its padding index + 1 (512, not 514)."""
        positions = self.model.config.max_position_embeddings
        embeddings = getattr(self.model, "embeddings", None)
        table = getattr(embeddings, "position_embeddings", None)
        offset = getattr(table, "padding_idx", None)
        limit = positions if offset is None else positions - offset - 1
        return limit if self.config.max_pieces is None else min(limit, self.config.max_pieces)

    @cached_property
    def weights_hash(self) -> str:
        """Hash of every parameter and of the configuration that says how they are used."""
        digest = sha256()
        settings = {k: v for k, v in self.model.config.to_dict().items() if k not in NOT_COMPUTED}
        digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    @cached_property
    def tokenizer_hash(self) -> str:
        """Hash of the tokenizer's whole definition, its own cutting and padding aside."""
        definition = json.loads(self._rules.to_str())
        definition |= {"truncation": None, "padding": None}
        names = [self.tokenizer.model_input_names, self.tokenizer.special_tokens_map]
        return sha256(json.dumps([definition, names], sort_keys=True, default=str).encode()).hexdigest()

    @property
    def _rules(self) -> Tokenizer:
        return cast(Tokenizer, self.tokenizer.backend_tokenizer)

    def word_type(self, word: str) -> str:
        """The word as this encoder can tell it from others: an uncased one cannot see capitals."""
        normalizer = self._rules.normalizer
        return word if normalizer is None else normalizer.normalize_str(word)
