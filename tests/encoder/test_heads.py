"""Streamed attention: equal to one sentence at a time, whatever the batch, and gone with it."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoModel

from probes.encoder.attention import STATISTICS
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.heads import FULL_PIECES, HeadBatch, HeadReader, read_heads
from probes.errors import ConfigError, CorpusError, EncoderError
from probes.types import Corpus, Sentence
from tests.encoder.test_family import FAMILIES
from tests.reference.attention import SlowHead, slow_heads
from tests.toy import make_corpus, make_tokenizer

Load = Callable[..., FrozenEncoder]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return make_corpus(["dev", "test"], size=12)


def read_all(encoder: FrozenEncoder, corpus: Corpus, split: str = "test") -> tuple[HeadBatch, HeadReader]:
    """Every batch in one, sentences and words in corpus order."""
    with read_heads(encoder, corpus, split) as reader:
        batches = list(reader.batches())
        index = reader.index
    sentence, row = (np.concatenate([getattr(one, name) for one in batches]) for name in ("sentence", "row"))
    attended = np.concatenate([one.attended for one in batches], axis=-1)[..., np.argsort(row)]
    sums, sizes = (
        np.concatenate([getattr(one, name) for one in batches], axis=-1)[..., np.argsort(sentence)]
        for name in ("sums", "sizes")
    )
    assert sorted(row) == list(range(len(index.word))), "every word once"
    return HeadBatch(np.sort(sentence), np.sort(row), attended, sums, sizes), reader


def check_against_slow(found: HeadBatch, reader: HeadReader, sentences: tuple[Sentence, ...]) -> None:
    index = reader.index
    for number, sentence in enumerate(sentences):
        rows = slice(int(index.offsets[number]), int(index.offsets[number + 1]))
        words = index.word[rows].tolist()
        for block, heads in enumerate(slow_heads(reader.encoder, sentence)):
            for head, slow in enumerate(heads):
                check_head(found, (block, head), number, slow)
                rows_of = {word: rows.start + slot for slot, word in enumerate(words)} | {-1: -1}
                wanted = [[rows_of[ask(word)] for word in words] for ask in (slow.attends_most, slow.attended_most_by)]
                assert found.attended[:, block, head, rows].tolist() == wanted


def check_head(found: HeadBatch, at: tuple[int, int], number: int, slow: SlowHead) -> None:
    wanted = slow.statistics()
    sums, sizes = ([wanted[name][part] for name in STATISTICS] for part in (0, 1))
    # float32 in the encoder, another padding in every batch.
    np.testing.assert_allclose(found.sums[:, *at, number], sums, rtol=2e-4, atol=1e-5)
    np.testing.assert_array_equal(found.sizes[:, *at, number], sizes)


@pytest.mark.parametrize("batch_pieces", [1, 40, 4096])
def test_streamed_heads_are_those_of_one_sentence_at_a_time(load: Load, corpus: Corpus, batch_pieces: int) -> None:
    encoder = load(attention="eager", num_layers=3, batch_pieces=batch_pieces)
    found, reader = read_all(encoder, corpus)
    assert found.attended.shape[:3] == (2, 3, 4)
    check_against_slow(found, reader, tuple(corpus["test"]))


@pytest.mark.parametrize("name", FAMILIES)
def test_other_architectures_give_their_maps(name: str, load: Load, corpus: Corpus, tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    settings: Any = {"vocab_size": len(tokenizer), "bos_token_id": 2, "eos_token_id": 3, **FAMILIES[name]}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModel.from_config(getattr(transformers, f"{name}Config")(**settings))
        with torch.no_grad():
            for parameter in model.parameters():  # the maps of fresh weights are flat, and full of ties
                parameter.add_(torch.randn_like(parameter) * 0.1)
        model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    found, reader = read_all(load(name=str(tmp_path), attention="eager"), Corpus("few", {"test": corpus["test"][:4]}))
    check_against_slow(found, reader, tuple(corpus["test"][:4]))


def test_a_decoder_has_no_head_to_the_right(load: Load, corpus: Corpus, tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    settings = transformers.GPT2Config(vocab_size=len(tokenizer), bos_token_id=2, eos_token_id=3, **FAMILIES["GPT2"])
    AutoModel.from_config(settings).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    found, reader = read_all(load(name=str(tmp_path), attention="eager"), corpus)
    own, others = found.attended
    assert (own < found.row).all()
    assert ((others > found.row) | (others == -1)).all()
    first, last = reader.index.offsets[:-1], reader.index.offsets[1:] - 1
    assert (own[..., first] == -1).all()
    assert (others[..., last] == -1).all()


def test_twin_gives_its_own_maps(load: Load, corpus: Corpus) -> None:
    pretrained, twin = (
        read_all(load(attention="eager", num_layers=3, twin=twin), corpus)[0] for twin in (None, {"seed": 1})
    )
    assert (pretrained.attended != twin.attended).mean() > 0.3


def test_long_text_is_refused_or_cut(load: Load) -> None:
    words = ("the", "dog", "sees", *("xyz",) * 30)
    corpus = Corpus("long", {"test": (Sentence("short", ("a", "cat")), Sentence("long", words))})
    with pytest.raises(CorpusError) as error:
        read_all(load(attention="eager", num_layers=1), corpus)
    assert str(error.value).endswith(
        "reads at most 64 pieces, but sentence 'long' of corpus 'long' has 95. Split it, or set encoder.length to "
        "truncate or window."
    )
    cut, reader = read_all(load(attention="eager", num_layers=1, length="truncate"), corpus)
    assert reader.num_cut == 33 - (3 + 59 // 3)
    check_cut = Corpus("cut", {"test": (corpus["test"][0], Sentence("long", words[: 3 + 59 // 3]))})
    whole, _ = read_all(load(attention="eager", num_layers=1, length="truncate"), check_cut)
    assert cut.attended.shape == whole.attended.shape
    # Two pieces of the word that was cut stay in the text, and belong to no word.
    assert cut.sizes[:, 0, 0].tolist() == whole.sizes[:, 0, 0].tolist()


def test_words_without_a_piece_are_counted_and_left_out(load: Load) -> None:
    corpus = Corpus("lost", {"test": (Sentence("s", ("the", "\u200b", "dog", "sees", "\u200b", "xyz")),)})
    found, reader = read_all(load(attention="eager", num_layers=3, lost_words="drop"), corpus)
    assert reader.num_lost == 2
    assert reader.index.word.tolist() == [0, 2, 3, 5]
    check_against_slow(found, reader, tuple(corpus["test"]))
    with pytest.raises(CorpusError, match="loses word 2 of sentence 's'"):
        read_all(load(attention="eager", num_layers=3), corpus)


def test_maps_go_with_their_batch(load: Load, corpus: Corpus) -> None:
    def count_maps() -> int:
        found = (one for one in gc.get_objects() if type(one) is torch.Tensor and one.ndim == 4)
        # [text, head, piece, piece] and [text, head, word, word] of four heads
        return sum(1 for one in found if one.shape[1] == 4 and one.shape[2] == one.shape[3])

    before, kept = count_maps(), []
    with read_heads(load(attention="eager", num_layers=3, batch_pieces=30), corpus, "test") as reader:
        for batch in reader.batches():
            kept.append(count_maps() - before)
            values = [getattr(batch, name) for name in ("sentence", "row", "attended", "sums", "sizes")]
            assert all(isinstance(value, np.ndarray) for value in values)
    assert len(kept) > 2
    assert set(kept) == {0}


def test_maps_of_a_batch_are_bounded_by_its_budget(load: Load) -> None:
    sizes = [3, 20, 30, 40, 60]
    sentences = tuple(Sentence(f"{size}-{copy}", ("dog",) * size) for size in sizes for copy in range(8))
    encoder = load(attention="eager", num_layers=1, batch_pieces=100)
    shapes: list[torch.Size] = []
    hook = encoder.model.register_forward_pre_hook(
        lambda module, args, given: shapes.append(given["input_ids"].shape), with_kwargs=True
    )
    read_all(encoder, Corpus("many", {"test": sentences}))
    hook.remove()
    assert sum(num_texts for num_texts, _ in shapes) == len(sentences)
    assert max(num_texts for num_texts, _ in shapes) > 4
    for num_texts, length in shapes:
        assert num_texts == 1 or num_texts * length * max(length, FULL_PIECES) <= 100 * FULL_PIECES


def test_long_texts_are_fewer_in_a_batch_than_their_pieces_allow() -> None:
    from probes.encoder.plan import plan_batches

    lengths = np.full(64, 4 * FULL_PIECES)
    cells = lengths * np.maximum(lengths, FULL_PIECES)
    budget = 16 * FULL_PIECES
    assert {len(batch) for batch in plan_batches(lengths, budget)} == {4}
    assert {len(batch) for batch in plan_batches(cells, budget * FULL_PIECES)} == {1}


def test_sdpa_has_no_maps(toy_bert: Path, load: Load, corpus: Corpus) -> None:
    with pytest.raises(EncoderError) as error, read_heads(load(), corpus, "test"):
        pass
    assert str(error.value) == (
        f"Attention maps need encoder.attention: eager, but encoder {str(toy_bert)!r} was loaded with 'sdpa', which "
        "never forms them. Set encoder.attention to eager."
    )


def test_windows_have_no_whole_map(load: Load, corpus: Corpus) -> None:
    encoder = load(attention="eager", length="window")
    with pytest.raises(ConfigError) as error, read_heads(encoder, corpus, "test"):
        pass
    assert str(error.value) == (
        "encoder.length: window reads a text in parts, but a head attends within a whole text. "
        "Set encoder.length to truncate or error."
    )


def test_attention_that_is_no_number_is_named(toy_bert: Path, load: Load, corpus: Corpus) -> None:
    encoder = load(attention="eager", num_layers=3)
    query: Any = encoder.model.get_submodule("encoder.layer.1.attention.self.query")
    query.bias.data[9] = float("nan")  # of the second head: eight dims each
    with pytest.raises(EncoderError) as error:
        read_all(encoder, Corpus("one", {"test": corpus["test"][:1]}))
    assert str(error.value) == (
        f"Attention should be finite numbers, but head 2 of block 2 of {str(toy_bert)!r} gives NaN or infinity in "
        "sentence 'test-0' of split 'test'. Look at this sentence, or compute in float32."
    )
