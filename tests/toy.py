"""Small encoders and corpora that tests build for themselves: no download, answers known."""

from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase, digits, punctuation

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from probes.types import Corpus, Sentence, Tree

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


def save_toy_bert(folder: Path, *, num_layers: int = 12, seed: int = 0, pooler: bool = True) -> Path:
    """A BERT of 12 blocks and 32 dims with random weights, saved with its tokenizer.

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
        model = BertModel(config, add_pooling_layer=pooler)
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
