"""Loading a frozen encoder so that nothing in it is random without being asked for."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from tokenizers import normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from probes.config import EncoderConfig
from probes.encoder.frozen import FrozenEncoder, has_segments
from probes.encoder.place import UnknownEncoderError, locate_encoder
from probes.encoder.twin import build_twin
from probes.errors import EncoderError

# Byte-level tokenizers read pre-split words only when told to put a space before the first one.
PREFIX_SPACE = {"roberta", "gpt2", "deberta", "longformer", "bart", "modernbert", "camembert", "xlm-roberta"}


def load_encoder(config: EncoderConfig | str, *, pooler: bool = False) -> FrozenEncoder:
    """The encoder in evaluation mode, without gradients, with exactly the weights that were asked for.

    `pooler=True`, or `sentence="pooler"`, loads the pooler as well; a checkpoint that has none is an error, because
    transformers would fill in random weights. Raises UnknownEncoderError (a wrong name) and EncoderError.
    """
    config = EncoderConfig(name=config) if isinstance(config, str) else config
    pooler = pooler or config.sentence == "pooler"
    place = locate_encoder(config.name)
    with _explain_missing(config):
        model = _load_model(place, config, pooler)
        tokenizer = _load_tokenizer(place, config, model.config.model_type)
    if config.segments == "ones" and not has_segments(model.config):
        raise EncoderError(
            f"encoder.segments: ones needs an encoder that tells segments apart, but {config.name!r} "
            f"({type(model).__name__}) has no embedding of them. Leave encoder.segments at own."
        )
    if config.twin is not None:
        model = build_twin(model, config.twin)
    if config.load_dtype != config.compute_dtype:
        # Weights rounded to the load precision; matrix products at the compute precision come from autocast,
        # which works from float32 only.
        model.float()
    model.to(_device(config))  # type: ignore[arg-type] - its stub takes no device
    model.eval().requires_grad_(False)
    if config.compile:
        model.compile(dynamic=True)
    return FrozenEncoder(config=config, model=model, tokenizer=tokenizer)


def load_beside(encoder: FrozenEncoder, config: EncoderConfig) -> FrozenEncoder:
    """The encoder of a config that differs from that of `encoder` in `word` and `sentence` alone.

    It shares the weights in memory; only where one of them has a pooler is it loaded anew. Raises EncoderError for a
    checkpoint without a pooler that should have one.
    """
    if "pooler" in (config.sentence, encoder.config.sentence):
        return load_encoder(config)
    return replace(encoder, config=config)


def share_states(one: FrozenEncoder, other: FrozenEncoder) -> bool:
    """Whether two encoders that `load_beside` put together have the same weights below the pooler."""
    weights, others = (
        {name: part for name, part in encoder.model.state_dict().items() if not name.startswith("pooler.")}
        for encoder in (one, other)
    )
    return weights.keys() == others.keys() and all(torch.equal(part, others[name]) for name, part in weights.items())


def read_encoder_config(config: EncoderConfig) -> Any:
    """The model's own configuration (blocks, dims, vocabulary), without its weights.

    With `num_layers=k` its number of blocks is k. Raises UnknownEncoderError for a wrong name or too many blocks.
    """
    with _explain_missing(config):
        settings = AutoConfig.from_pretrained(locate_encoder(config.name), revision=config.revision or "main")
    if config.num_layers is not None:
        if config.num_layers > settings.num_hidden_layers:
            raise UnknownEncoderError(
                f"encoder.num_layers should be at most {settings.num_hidden_layers}, the number of blocks of "
                f"{config.name!r}, but is {config.num_layers}. Choose a smaller number."
            )
        settings.num_hidden_layers = config.num_layers
    return settings


def _device(config: EncoderConfig) -> torch.device:
    """Where to compute; of several processes on a node each takes the GPU of its own number."""
    if config.device == "cpu" or (config.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    number = os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or "0"
    return torch.device("cuda", int(number))


@contextmanager
def _explain_missing(config: EncoderConfig) -> Iterator[None]:
    try:
        with quiet_transformers():
            yield
    except SafetensorError as error:
        raise EncoderError(
            f"The weights of encoder {config.name!r} should be a whole safetensors file, but cannot be read: {error}. "
            f"Download or save the checkpoint again."
        ) from error
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UnknownEncoderError(
            f"Encoder {config.name!r} should be a Hub name, a local folder or pkg:package/folder, but it cannot "
            f"be loaded: {reason} Check the name, the revision ({config.revision!r}) and the network."
        ) from error


def _load_model(place: str, config: EncoderConfig, pooler: bool) -> PreTrainedModel:
    settings = read_encoder_config(config)
    model, info = AutoModel.from_pretrained(
        place,
        config=settings,
        revision=config.revision or "main",
        dtype=getattr(torch, config.load_dtype),
        attn_implementation=config.attention,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # told in `info`, and refused below by name
        **_pooling_argument(settings, pooler),
    )
    for name, stored, expected in sorted(info["mismatched_keys"]):
        raise EncoderError(
            f"The weights of encoder {config.name!r} should have the shapes of its config.json, but {name} is "
            f"{list(stored)} and should be {list(expected)}. Take both files from the same checkpoint."
        )
    missing = sorted(info["missing_keys"])
    if missing:
        raise EncoderError(
            f"Encoder {config.name!r} should have weights for every parameter, but its checkpoint lacks "
            f"{len(missing)}, {missing[0]} among them, and they would be random. "
            f"{'Load it with pooler=False.' if pooler else 'Use another checkpoint.'}"
        )
    if pooler and not any(name.startswith("pooler.") for name, _ in model.named_parameters()):
        raise EncoderError(
            f"A pooler was asked of encoder {config.name!r}, but {type(model).__name__} has none. "
            f"Use hidden_states[-1][:, 0] or the mean over pieces."
        )
    return model


def _pooling_argument(settings: Any, pooler: bool) -> dict[str, bool]:
    model_class = AutoModel._model_mapping[type(settings)]
    model_class = model_class[0] if isinstance(model_class, (list, tuple)) else model_class
    has_choice = "add_pooling_layer" in signature(model_class.__init__).parameters
    return {"add_pooling_layer": pooler} if has_choice else {}


def _load_tokenizer(place: str, config: EncoderConfig, model_type: str) -> PreTrainedTokenizerBase:
    options = {"add_prefix_space": True} if model_type in PREFIX_SPACE else {}
    tokenizer = AutoTokenizer.from_pretrained(place, revision=config.revision or "main", **options)
    if not tokenizer.is_fast:
        raise EncoderError(
            f"Encoder {config.name!r} needs a fast tokenizer, because only these tell which piece belongs to "
            f"which word, but {type(tokenizer).__name__} is slow. Save a tokenizer.json beside the weights."
        )
    if set(tokenizer.get_vocab().values()) <= set(tokenizer.all_special_ids):
        # transformers makes up a tokenizer that knows special pieces only, and every word would be [UNK].
        raise EncoderError(
            f"Encoder {config.name!r} should have a tokenizer beside its weights, but there is none. "
            f"Save its tokenizer.json in the same place."
        )
    if tokenizer.pad_token is None:
        # GPT-2 has none. Whatever stands on padding is masked, so any piece will do.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    if config.pieces == "wordpiece":
        _leave_wordpiece(tokenizer, config)
    # A saved tokenizer may pad and cut on the left; positions, rows and [CLS] are counted from the left here.
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    return tokenizer


def _leave_wordpiece(tokenizer: PreTrainedTokenizerBase, config: EncoderConfig) -> None:
    """Take normaliser and cuts at punctuation away: words are what stands between spaces."""
    rules: Any = tokenizer.backend_tokenizer
    if not isinstance(rules.model, WordPiece):
        raise EncoderError(
            f"encoder.pieces: wordpiece needs a tokenizer of WordPieces, but that of {config.name!r} is one of "
            f"{type(rules.model).__name__}. Leave encoder.pieces at own."
        )
    rules.normalizer, rules.pre_tokenizer = normalizers.Sequence([]), pre_tokenizers.WhitespaceSplit()


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No load reports, progress bars or hub retries on the terminal; what matters is checked and raised."""
    hub = logging.getLogger("huggingface_hub")
    verbosity, hub_level = transformers.logging.get_verbosity(), hub.level
    had_bar = transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity(logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    hub.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        hub.setLevel(hub_level)
        if had_bar:
            transformers.logging.enable_progress_bar()
