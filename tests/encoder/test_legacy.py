"""What published systems fed to their encoder: all pieces in the second segment, words cut into WordPieces at once."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertModel, DistilBertConfig, DistilBertModel, RobertaConfig, RobertaModel

from probes.encoder.extract import describe_identity, extract
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.text import read_texts
from probes.errors import EncoderError
from probes.types import Corpus, Sentence
from tests.toy import make_corpus, make_tokenizer

Load = Callable[..., FrozenEncoder]
CORPUS = make_corpus(("train",), size=6)
SIZES = {"vocab_size": 200, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


def test_segments_of_ones_equal_transformers_with_ones(load: Load, toy_bert: Path, tmp_path: Path) -> None:
    cache = extract(load(segments="ones", word="first", store_dtype="float32"), CORPUS, "word", folder=tmp_path)
    model, tokenizer = BertModel.from_pretrained(toy_bert).eval(), AutoTokenizer.from_pretrained(toy_bert)
    offsets = cache.index("train").offsets
    for number, sentence in enumerate(CORPUS["train"]):
        cut = [tokenizer.tokenize(word) for word in sentence.words]
        starts = 1 + np.cumsum([0, *map(len, cut)])[:-1]
        pieces = ["[CLS]", *(piece for word in cut for piece in word), "[SEP]"]
        ids = torch.tensor([tokenizer.convert_tokens_to_ids(pieces)])
        with torch.no_grad():
            read = model(ids, token_type_ids=torch.ones_like(ids), output_hidden_states=True).hidden_states
        for layer, state in enumerate(read):
            rows = cache.layer(layer, "train")[offsets[number] : offsets[number + 1]]
            np.testing.assert_allclose(rows, state[0, starts].numpy(), rtol=0, atol=1e-5)


def test_segments_of_ones_move_every_layer(toy: FrozenEncoder, load: Load) -> None:
    own, ones = (encoder(["the dog", "a cat sees"]).hidden_states for encoder in (toy, load(segments="ones")))
    assert not any(torch.allclose(one, other, atol=1e-3) for one, other in zip(own, ones, strict=True))


@pytest.mark.parametrize(
    ("settings", "changed"), [({"segments": "ones"}, {"segments"}), ({"pieces": "wordpiece"}, {"tokenizer"})]
)
def test_identity_says_what_is_not_the_encoders_own(settings: dict, changed: set, toy: FrozenEncoder, load: Load):
    texts = read_texts(CORPUS, "word")
    own, other = (describe_identity(encoder, texts, "word") for encoder in (toy, load(**settings)))
    assert {name for name in own.keys() | other.keys() if own.get(name) != other.get(name)} == changed


def test_identity_of_an_encoder_as_it_is_has_not_changed(toy: FrozenEncoder) -> None:
    """A name that is added here makes every cache that was ever written another one."""
    assert list(describe_identity(toy, read_texts(CORPUS, "word"), "word")) == [
        *("schema", "weights", "tokenizer", "text", "unit", "pooling", "length", "max_pieces", "lost_words"),
        *("load_dtype", "compute_dtype", "store_dtype", "attention", "compile", "plan", "device"),
        *("matmul_precision", "libraries"),
    ]


@pytest.mark.parametrize(
    "model",
    [
        DistilBertModel(DistilBertConfig(vocab_size=200, dim=8, n_layers=1, n_heads=2, hidden_dim=8)),
        RobertaModel(RobertaConfig(**SIZES, type_vocab_size=1), add_pooling_layer=False),
    ],
    ids=["none", "one"],
)
def test_encoder_without_segments_has_no_second_one(model: torch.nn.Module, load: Load, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(EncoderError) as caught:
        load(name=str(tmp_path), segments="ones")
    assert str(caught.value) == (
        f"encoder.segments: ones needs an encoder that tells segments apart, but {str(tmp_path)!r} "
        f"({type(model).__name__}) has no embedding of them. Leave encoder.segments at own."
    )


def test_words_are_cut_into_wordpieces_at_once(toy: FrozenEncoder, load: Load) -> None:
    words = [["the", "x-y", "Dog", "dog"]]
    assert toy(words).pieces == [["[CLS]", "the", "x", "-", "y", "dog", "dog", "[SEP]"]]
    # A capital is in no uncased vocabulary, and a hyphen inside a word is a piece that goes on.
    assert load(pieces="wordpiece")(words).pieces == [["[CLS]", "the", "x", "##-", "##y", "[UNK]", "dog", "[SEP]"]]
    assert load(pieces="wordpiece")(["the x-y"]).pieces == [["[CLS]", "the", "x", "##-", "##y", "[SEP]"]]


def test_a_word_is_its_own_type_where_nothing_normalises_it(toy: FrozenEncoder, load: Load) -> None:
    assert (toy.word_type("Dog"), load(pieces="wordpiece").word_type("Dog")) == ("dog", "Dog")


def test_words_keep_their_rows_when_cut_into_wordpieces(load: Load, tmp_path: Path) -> None:
    corpus = Corpus("few", {"train": [Sentence("s", ("the", "x-y", "Dog")), Sentence("t", ("a", "cat"))]})
    cache = extract(load(pieces="wordpiece", store_dtype="float32"), corpus, "word", folder=tmp_path)
    assert cache.index("train").word.tolist() == [0, 1, 2, 0, 1]
    expected = load(pieces="wordpiece")([["the", "x-y", "Dog"]]).last_hidden_state[0, [1, 2, 5]]
    np.testing.assert_allclose(cache.layer(12, "train")[:3], expected.numpy(), rtol=0, atol=1e-5)


def test_pieces_of_another_kind_are_refused(load: Load, checkpoint: Path) -> None:
    rules = json.loads((checkpoint / "tokenizer.json").read_text("utf-8"))
    rules["model"] = {"type": "WordLevel", "vocab": rules["model"]["vocab"], "unk_token": "[UNK]"}
    (checkpoint / "tokenizer.json").write_text(json.dumps(rules), "utf-8")
    with pytest.raises(EncoderError) as caught:
        load(name=str(checkpoint), pieces="wordpiece")
    assert str(caught.value) == (
        f"encoder.pieces: wordpiece needs a tokenizer of WordPieces, but that of {str(checkpoint)!r} is one of "
        f"WordLevel. Leave encoder.pieces at own."
    )
