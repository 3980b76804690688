"""Encoders of which it is known what they use: every number in their states is planted.

Words have four bits: `label`, `left`, `right` and `twin`; the label is whether left equals right. Each bit is a pair of
dims (+, -), so that LayerNorm only scales. The second of three blocks takes the label's pair away and writes a new pair
`copy`: from the label (`used`), or from left and right (`unused`). A last pair of dims is constant.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM

from probes.config import Run, parse
from probes.encoder.load import load_encoder
from probes.method import Subject
from probes.types import Corpus, Sentence
from tests.toy import make_tokenizer
from tests.toy import sentence as make_sentence

WORDS = ("the", "dog", "cat", "sees", "runs", "big", "small", "often")
DIM, LABEL, LEFT, RIGHT, TWIN, COPY, CONSTANT, FIRST_POSITION = 64, 0, 2, 4, 6, 8, 10, 12
SHARP = 4.0
FIT = {"l2": [1e-3], "epochs": 2, "min_steps": 80, "precision": "float32", "step_size": [0.05], "gap": "none"}


def bits(number: int) -> tuple[int, int, int, int]:
    """Label, left, right and twin of a word, each 1 or -1."""
    left, right, twin = (1 if number & 1 << place else -1 for place in range(3))
    return (1 if left == right else -1, left, right, twin)


def save_planted(folder: Path, *, is_used: bool, has_head: bool = False) -> Path:
    """The encoder with its tokenizer, and with a random masked-word head if asked for."""
    tokenizer = make_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=DIM,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=4,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = BertForMaskedLM(config)
        _plant_embeddings(model.bert.embeddings, tokenizer)
        for block in model.bert.encoder.layer:
            for dense in (block.attention.output.dense, block.intermediate.dense, block.output.dense):
                dense.weight.zero_()
                dense.bias.zero_()
        _plant_block(model.bert.encoder.layer[1], is_used=is_used)
    (model if has_head else model.bert).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _plant_embeddings(embeddings, tokenizer) -> None:
    for table in (embeddings.word_embeddings, embeddings.position_embeddings, embeddings.token_type_embeddings):
        table.weight.zero_()
    for number, word in enumerate(WORDS):
        vector = embeddings.word_embeddings.weight[tokenizer.convert_tokens_to_ids(word)]
        for pair, value in zip((LABEL, LEFT, RIGHT, TWIN), bits(number), strict=True):
            _set_pair(vector, pair, value)
    embeddings.word_embeddings.weight[:, CONSTANT] += 1
    embeddings.word_embeddings.weight[:, CONSTANT + 1] -= 1
    stream = np.random.default_rng(3)
    for vector in embeddings.position_embeddings.weight:
        for pair in range(FIRST_POSITION, DIM, 2):
            _set_pair(vector, pair, stream.choice([-1, 1]))


def _set_pair(vector, pair: int, value: float) -> None:
    vector[pair], vector[pair + 1] = value, -value


def _plant_block(block, *, is_used: bool) -> None:
    """gelu(x) - gelu(-x) is x, and gelu(x) + gelu(-x) is |x| for large x."""
    into, out = block.intermediate.dense.weight, block.output.dense
    into[0, LABEL], into[1, LABEL] = 1, -1
    into[2, [LEFT, RIGHT]], into[3, [LEFT, RIGHT]] = SHARP, -SHARP
    # The scale of a state after LayerNorm: all pairs but the empty one are 1 or -1.
    scale = (DIM / (DIM - 2)) ** 0.5
    for sign, place in ((1, 0), (-1, 1)):
        out.weight[LABEL + place, :2] = torch.tensor([-sign, sign])
        if is_used:
            out.weight[COPY + place, :2] = torch.tensor([sign, -sign])
        else:
            out.weight[COPY + place, 2:] = sign / SHARP
            out.bias[COPY + place] = -sign * scale


def make_words(sizes: Sequence[tuple[str, int]] = (("train", 40), ("dev", 10), ("test", 24))) -> Corpus:
    """Sentences that hold every word twice in a drawn order; three are a document."""
    stream = np.random.default_rng(0)
    splits: dict[str, tuple[Sentence, ...]] = {}
    for split, size in sizes:
        made = []
        for number in range(size):
            order = stream.permutation([*range(len(WORDS))] * 2)
            tags = " ".join("NOUN" if bits(int(word))[0] == 1 else "VERB" for word in order)
            words = " ".join(WORDS[word] for word in order)
            made.append(make_sentence(f"{split}-{number}", words, tags, group=f"{split}-{number // 3}"))
        splits[split] = tuple(made)
    return Corpus("planted", splits)


def use_subject(folder: Path, corpus: Corpus | None = None, **settings) -> Subject:
    """An encoder at `folder` and the planted words."""
    given = {"encoder": {"name": str(folder)}, "corpus": {"reader": "python"}, "task": {"name": "pos", "controls": []}}
    return Subject(parse(Run, given | {"fit": FIT} | settings, where="test"), corpus or make_words())


def planted_states(folder: Path) -> torch.Tensor:
    """States [layer, word, dim] of the eight words read as one sentence."""
    return torch.stack(load_encoder(str(folder))([WORDS]).hidden_states)[:, 0, 1:-1]
