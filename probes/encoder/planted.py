"""Encoders whose weights are set by hand: BERTs of six blocks that write and erase known features at known blocks.

Features are pairs of dims (x, -x), so that a state has mean 0 and LayerNorm only scales it; unit vectors stand for
places. An attention head that looks at one place copies; a perceptron adds, takes away and multiplies signs with GELUs:
gelu(x) - gelu(-x) = x, and gelu(x) + gelu(-x) is |x| for large x.
"""

from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from jaxtyping import Float
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from probes.cache import probes_home
from probes.planted import LONGEST, NUM_BLOCKS, NUM_WORDS, Planting, find_planting, word_bits, word_names
from probes.seed import generator

# Raised when the same name gives other weights.
VERSION = 1
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
NUM_PLACES = LONGEST + 2
NUM_RANDOM = 40
# Pairs of dims by what they hold.
CONSTANT, SOURCE, OWN, ROLE, CONTEXT, PARITY, COPY = range(7)
PLACE = 7 + NUM_RANDOM
HEAD_PLACE = PLACE + NUM_PLACES
NUM_HEADS, DIM = 4, 160
HEAD_DIMS = DIM // NUM_HEADS
# What tells two attention scores apart, so that nothing is left for the second; how steep the GELU of a sum is.
SHARP_SCORE, SHARP_GELU = 40.0, 8.0


def planted_folder(name: str) -> Path:
    """The folder of a planted encoder under `$PROBES_HOME`, made when it is first asked for.

    Raises ConfigError for an unknown name.
    """
    planting = find_planting(name)
    folder = probes_home() / "planted" / f"{name}-{VERSION}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                working = folder.with_suffix(".part")
                save_planted(planting, working)
                working.rename(folder)
    return folder


def save_planted(planting: Planting, folder: Path) -> None:
    """The encoder with its tokenizer, as `save_pretrained` writes them."""
    tokenizer = make_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=DIM,
        num_hidden_layers=NUM_BLOCKS,
        num_attention_heads=NUM_HEADS,
        intermediate_size=64,
        max_position_embeddings=NUM_PLACES,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = BertModel(config, add_pooling_layer=False)
        _plant_embeddings(model.embeddings, tokenizer)
        for number, block in enumerate(model.encoder.layer, start=1):
            _silence(block)
            _plant_block(block, number, planting)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Every planted word is one piece."""
    ids = {piece: number for number, piece in enumerate((*SPECIAL, *word_names()))}
    rules = Tokenizer(models.WordPiece(vocab=ids, unk_token="[UNK]"))
    rules.normalizer = normalizers.BertNormalizer(lowercase=True)
    rules.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    rules.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=rules, model_max_length=NUM_PLACES, **names)


def _set(vector: Tensor, pair: int, value: float) -> None:
    vector[2 * pair], vector[2 * pair + 1] = value, -value


def _plant_embeddings(embeddings: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    """Each word has a constant, its bits but the kind, which stands nowhere, and random signs; each place a pair."""
    tables = (embeddings.word_embeddings, embeddings.position_embeddings, embeddings.token_type_embeddings)
    for table in tables:
        table.weight.zero_()
    words, places, _ = (table.weight for table in tables)
    source, own, _, role = 2 * word_bits() - 1
    signs = 2 * generator(0, "planted.signs").integers(2, size=(NUM_WORDS, NUM_RANDOM)) - 1
    for number, word in enumerate(word_names()):
        vector = words[tokenizer.convert_tokens_to_ids(word)]
        values = [1, source[number], own[number], role[number], 0, 0, 0, *signs[number]]
        for pair, value in enumerate(values):
            _set(vector, pair, float(value))
    for place in range(NUM_PLACES):
        _set(places[place], PLACE + place, 1.0)


def _silence(block: nn.Module) -> None:
    """A block that passes its states on."""
    for module in block.modules():
        if isinstance(module, nn.Linear):
            module.weight.zero_()
            module.bias.zero_()


def _plant_block(block: Any, number: int, planting: Planting) -> None:
    if number == planting.written:
        _copy_from_before(block, CONTEXT)
    if number == planting.copied and not planting.is_used:
        _copy_from_before(block, COPY)
    if number == planting.tree:
        _copy_head(block)
    if number == planting.parity:
        _write_parity(block)
    if number == planting.copied and planting.is_used:
        _add(block, CONTEXT, COPY, 1.0)
    if number == planting.erased:
        _add(block, CONTEXT, CONTEXT, -1.0)
    if number == planting.tree_erased:
        for pair in range(HEAD_PLACE, HEAD_PLACE + NUM_PLACES):
            _add(block, pair, pair, -1.0)


def _connect(attention: Any, place: Float[Tensor, "query key"]) -> None:
    """Scores of the first head from the places of both pieces."""
    pairs = [2 * (PLACE + number) for number in range(NUM_PLACES)]
    for query, pair in enumerate(pairs):
        attention.self.query.weight[query, pair] = HEAD_DIMS**0.5
        attention.self.key.weight[query, pairs] = place[query]


def _copy_from_before(block: Any, target: int) -> None:
    """Every piece looks at the one before it and takes its source bit."""
    attention = block.attention
    _connect(attention, SHARP_SCORE * torch.eye(NUM_PLACES).roll(-1, dims=1).tril())
    attention.self.value.weight[0, 2 * SOURCE] = 1
    _set(attention.output.dense.weight[:, 0], target, 1.0)


def _copy_head(block: Any) -> None:
    """Every word looks at its head and takes its place; the root looks at itself.

    Of the words before, the last one with role 1 has the highest score; a word with role 1 prefers the first one.
    """
    attention, places = block.attention, torch.arange(NUM_PLACES)
    is_before = (places[None] < places[:, None]) & (places[None] > 0)
    scores = torch.where(is_before, SHARP_SCORE * places[None], -4 * NUM_PLACES * SHARP_SCORE)
    scores[1, 1] = 4 * NUM_PLACES * SHARP_SCORE
    _connect(attention, scores)
    to_first, of_role = NUM_PLACES, NUM_PLACES + 1
    query, key = attention.self.query.weight, attention.self.key.weight
    query[to_first, [2 * ROLE, 2 * CONSTANT]] = HEAD_DIMS**0.5
    key[to_first, 2 * (PLACE + 1)] = 2 * NUM_PLACES * SHARP_SCORE
    query[of_role, 2 * CONSTANT] = HEAD_DIMS**0.5
    key[of_role, 2 * ROLE] = NUM_PLACES * SHARP_SCORE
    for number in range(NUM_PLACES):
        attention.self.value.weight[number, 2 * (PLACE + number)] = 1
        _set(attention.output.dense.weight[:, number], HEAD_PLACE + number, 1.0)


def _write_parity(block: Any) -> None:
    """(|context + own| - |context - own|) / 2 is their product, at their own scale."""
    for sign in (1.0, -1.0):
        first, second = _free_rows(block)
        for row, direction in ((first, 1.0), (second, -1.0)):
            block.intermediate.dense.weight[row, 2 * CONTEXT] = direction * SHARP_GELU
            block.intermediate.dense.weight[row, 2 * OWN] = direction * sign * SHARP_GELU
            _set(block.output.dense.weight[:, row], PARITY, sign / (2 * SHARP_GELU))


def _add(block: Any, source: int, target: int, factor: float) -> None:
    """Add a pair, times a factor, to another or to itself."""
    for row, direction in zip(_free_rows(block), (1.0, -1.0), strict=True):
        block.intermediate.dense.weight[row, 2 * source] = direction
        _set(block.output.dense.weight[:, row], target, direction * factor)


def _free_rows(block: Any) -> tuple[int, int]:
    """Two units of the perceptron that do nothing yet."""
    is_free = ~block.intermediate.dense.weight.any(dim=1)
    first, second, *_ = is_free.nonzero()[:, 0].tolist()
    return first, second
