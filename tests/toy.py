"""Small encoders and corpora that tests build for themselves: no download, answers known."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from string import ascii_lowercase, digits, punctuation

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, BertModel, PreTrainedTokenizerFast

from probes.cache import Cache, CacheWriter, Layout, Manifest, SplitSize, block_batches, identity_hash, open_cache
from probes.cache.manifest import hash_ids
from probes.study.curves import Curves
from probes.study.face import run
from probes.task import TASKS
from probes.types import Corpus, RowIndex, Sentence, Tree

# As messages list them: the names after a dot are those of a corpus.
KNOWN_TASKS = (*TASKS, "feats.NAME", "column.NAME", "attribute.NAME")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WHOLE_WORDS = ["the", "dog", "cat", "sees", "runs", "big", "small", "often", "a", "and"]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """An uncased WordPiece tokenizer that knows ten words and spells out all others."""
    characters = [*ascii_lowercase, *digits, *punctuation]
    vocabulary = [*SPECIAL, *dict.fromkeys([*WHOLE_WORDS, *characters]), *(f"##{c}" for c in characters)]
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    rules = Tokenizer(models.WordPiece(vocab=ids, unk_token="[UNK]"))
    rules.normalizer = normalizers.BertNormalizer(lowercase=True)
    rules.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rules.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=rules, model_max_length=64, **names)


def save_toy_bert(
    folder: Path, *, num_layers: int = 12, seed: int = 0, pooler: bool = True, head: bool = False
) -> Path:
    """A BERT of 12 blocks and 32 dims with random weights, saved with its tokenizer; with a masked-word head if asked.

    Biases and gains are random too, so that "every parameter changed" can be told.
    """
    tokenizer = make_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertForMaskedLM(config) if head else BertModel(config, add_pooling_layer=pooler)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def sentence(sentence_id: str, words: str, upos: str, group: str = "") -> Sentence:
    """A sentence from space-separated words and tags; every word hangs on the first."""
    tokens = tuple(words.split())
    heads = (0, *(1 for _ in tokens[1:]))
    relations = ("root", *("dep" for _ in tokens[1:]))
    columns = {"upos": tuple(upos.split())}
    return Sentence(sentence_id, tokens, group=group or sentence_id, columns=columns, tree=Tree(heads, relations))


def make_corpus(splits: Sequence[str] = ("train", "dev", "test"), size: int = 24) -> Corpus:
    """Sentences of several lengths whose tags follow from the words, in each split with its own numbers."""
    made = {}
    for split in splits:
        rows = []
        for number in range(size):
            words, tags = "the dog sees a cat", "DET NOUN VERB DET NOUN"
            if number % 2:
                words, tags = f"the big x{number} runs", "DET ADJ NOUN VERB"
            if number % 3 == 0:
                words, tags = f"{words} often and y{split[0]}{number}", f"{tags} ADV CCONJ NOUN"
            rows.append(sentence(f"{split}-{number}", words, tags, group=f"{split}-doc{number // 4}"))
        made[split] = tuple(rows)
    return Corpus("toy", made)


# Test processes share the cores; on encoders and fits of this size, threads only wait for each other.
torch.set_num_threads(1)

CHECKOUT = Path(__file__).resolve().parents[1]
SHORT_FIT = ("fit.epochs=1", "fit.min_steps=4", "task.draws=2")


@dataclass(frozen=True)
class Study:
    """An experiment that was run once on the toy encoder, to be looked at by many tests."""

    folder: Path
    overrides: tuple[str, ...]
    curves: Curves

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def runs(self) -> list[Path]:
        """The JSON files of its curves."""
        return sorted((self.results / "runs").rglob("*.json"))


def make_tiny_corpus() -> Corpus:
    """The toy corpus with words in test that train never shows."""
    corpus = make_corpus(size=16)
    test = tuple(
        replace(one, words=tuple(word.replace("yt", "z") if word.startswith("yt") else word for word in one.words))
        for one in corpus["test"]
    )
    return Corpus("tiny", {**corpus.splits, "test": test})


def write_treebank(corpus: Corpus, folder: Path) -> Path:
    """The corpus as CoNLL-U files, one a split; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, sentences in corpus.splits.items():
        lines, group = [], ""
        for one in sentences:
            assert one.tree is not None
            lines += [] if one.group == group else [f"# newdoc id = {one.group}"]
            lines.append(f"# sent_id = {one.id}")
            group, rows = (
                one.group,
                zip(one.words, one.columns["upos"], one.tree.heads, one.tree.relations, strict=True),
            )
            for number, (word, tag, head, relation) in enumerate(rows, start=1):
                lines.append("\t".join([str(number), word, "_", tag, "_", "_", str(head), relation, "_", "_"]))
            lines.append("")
        (folder / f"tiny-ud-{split}.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@cache
def run_layer_pos(encoder: Path, folder: Path) -> Study:
    """`layer_pos.yaml` on a small treebank, once in each process: four curves, W&B below `folder`."""
    treebank = write_treebank(make_tiny_corpus(), folder / "tiny")
    overrides = (f"encoder.name={encoder}", f"corpus.path={treebank}/*.conllu", *SHORT_FIT)
    before = os.environ.get("WANDB_DIR")
    os.environ["WANDB_DIR"] = str(folder)
    try:
        experiment = CHECKOUT / "experiments" / "layer_pos.yaml"
        curves = run(experiment, overrides=overrides, results=folder / "results")
    finally:
        os.environ.pop("WANDB_DIR")
        os.environ |= {"WANDB_DIR": before} if before else {}
    return Study(folder, overrides, curves)


def make_cache(folder: Path, arrays: Mapping[str, np.ndarray]) -> Cache:
    """A cache of given states [layer, row, dim] for each split, without any encoder; a sentence has one row."""
    first = next(iter(arrays.values()))
    num_layers, _, dim = first.shape
    dtype = str(first.dtype)
    layouts = {split: Layout(num_layers, states.shape[1], dim, dtype) for split, states in arrays.items()}
    indexes = {split: _one_row_each(split, states.shape[1]) for split, states in arrays.items()}
    sizes = {
        split: SplitSize(sentences=len(index.ids), rows=len(index.ids), ids=hash_ids(index.ids))
        for split, index in indexes.items()
    }
    identity = {"toy": {split: identity_hash({"bytes": states.tobytes().hex()}) for split, states in arrays.items()}}
    manifest = Manifest(
        identity=identity,
        encoder={"name": "toy"},
        corpus="toy",
        unit="sentence",
        layers=("emb", *(str(layer) for layer in range(1, num_layers))),
        post_norm_last=True,
        dim=dim,
        dtype=dtype,
        splits=sizes,
        cut={},
        lost={},
        environment={},
    )
    place = folder / f"toy-{identity_hash(identity)}"
    if place.is_dir():
        return open_cache(place)
    writer = CacheWriter(place, layouts, block_batches(layouts))
    writer.prepare()
    with writer:
        everything = np.concatenate(list(arrays.values()), axis=1)
        for batch in writer.missing:
            writer.write(batch, everything[:, writer.batches.rows(batch)])
        return writer.finish(manifest, indexes, [])


def _one_row_each(split: str, num_rows: int) -> RowIndex:
    return RowIndex(
        unit="sentence",
        ids=[f"{split}-{number}" for number in range(num_rows)],
        offsets=np.arange(num_rows + 1),
        word=np.zeros(num_rows, dtype=np.int32),
        types=np.full(num_rows, -1, dtype=np.int32),
    )


def call_probes(*arguments: str | Path) -> int:
    """The exit code of `probes ARGUMENTS`, run in this process."""
    from probes.cli import main

    before, sys.argv = sys.argv, ["probes", *map(str, arguments)]
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        sys.argv = before
    return 0
