"""Batches of sentences of one length: whose rows, how many, in which order."""

import threading
import time

import numpy as np
import pytest
import torch

from probes.fit.batch import THREAD_NAME
from probes.fit.read import Scale
from probes.fit.sentence import SentenceBatches, SplitSentences, count_batches, cut_lengths

SIZES = {2: 7, 3: 10, 5: 4, 40: 1}
NUM_ROWS = 14 + 30 + 20 + 40


def make_sentences(num_layers: int = 2, dtype=np.float16) -> SplitSentences:
    """Sentences in mixed order, one row missing before each; the state of row r at layer l is (r, l)."""
    order = np.random.default_rng(0).permutation(np.repeat(list(SIZES), list(SIZES.values())))
    ends = np.cumsum(order + 1)
    starts = {length: (ends - length)[order == length] for length in SIZES}
    rows = np.arange(ends[-1])
    layers = [np.stack([rows, np.full_like(rows, layer)], axis=1).astype(dtype) for layer in range(num_layers)]
    return SplitSentences(layers, starts)


def scale_of(num_layers: int, mean: float = 0.0) -> Scale:
    return Scale(torch.full((num_layers, 2), mean), torch.full((num_layers, 2), 0.5 if mean else 1.0))


def read(batches: SentenceBatches) -> list[tuple[torch.Tensor, list[int]]]:
    """Copies: the reader fills one buffer again and again."""
    return [(states.clone(), chosen.tolist()) for states, chosen in batches]


@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize("batch_words", [1, 6, 11, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_sentence_comes_once_with_its_own_rows(seed, batch_words, dtype):
    sentences = make_sentences()
    batches = SentenceBatches(sentences, scale_of(2), batch_words=batch_words, dtype=dtype, seed=seed)
    found, met = read(batches), set()
    assert len(found) == len(batches)
    for states, chosen in found:
        length = states.shape[1] // len(chosen)
        assert states.shape == (2, len(chosen) * length, 2)
        assert states.dtype == dtype
        assert len(chosen) * length <= max(batch_words, length)
        for place, number in enumerate(chosen):
            rows = sentences.starts[length][number] + np.arange(length)
            for layer in (0, 1):
                part = states[layer, place * length : (place + 1) * length]
                np.testing.assert_array_equal(part[:, 0], rows)
                assert (part[:, 1] == layer).all()
            met.add((length, number))
    assert met == {(length, number) for length, size in SIZES.items() for number in range(size)}
    assert sum(len(chosen) for _, chosen in found) == len(met)


def test_states_are_scaled_before_they_lose_precision():
    batches = SentenceBatches(make_sentences(), scale_of(2, mean=100.0), batch_words=20, dtype=torch.bfloat16)
    plain = SentenceBatches(make_sentences(), scale_of(2), batch_words=20)
    for (states, _), (raw, _) in zip(read(batches), read(plain), strict=True):
        assert states.dtype == torch.bfloat16
        torch.testing.assert_close(states, ((raw - 100) / 2).bfloat16(), rtol=0, atol=0)


def test_only_layers_that_are_asked_for_are_read():
    scale = Scale(torch.tensor([[0.0, 0], [0, 5], [0, 7]]), torch.tensor([[1.0, 1], [1, 3], [1, 2]]))
    batches = SentenceBatches(make_sentences(3), scale, batch_words=20)
    batches.layers = [0, 2]
    for states, _ in batches:
        assert states[:, 0, 1].tolist() == [0, (2 - 7) * 2]


def test_order_changes_with_epoch_and_seed_and_not_with_layers():
    def order(num_layers, seed):
        batches = SentenceBatches(make_sentences(num_layers), scale_of(num_layers), batch_words=6, seed=seed)
        return [[chosen for _, chosen in read(batches)] for _ in range(2)]

    first, second = order(1, 0)
    assert first != second
    assert order(3, 0) == [first, second]
    assert order(1, 1)[0] != first


def test_without_a_seed_sentences_come_by_length_and_in_order():
    batches = SentenceBatches(make_sentences(), scale_of(2), batch_words=6)
    assert read(batches)[0][1] == [0, 1, 2]
    assert [chosen for _, chosen in read(batches)] == [chosen for _, chosen in read(batches)]


def test_a_thread_makes_the_same_batches():
    batches = [SentenceBatches(make_sentences(), scale_of(2), batch_words=6, seed=3) for _ in range(2)]
    batches[1].is_threaded = True
    for (states, chosen), (others, other) in zip(read(batches[0]), batches[1], strict=True):
        time.sleep(0.01)  # the thread goes on to the next batches, which must not stand where this one does
        assert chosen == other.tolist()
        assert torch.equal(states, others)
    assert not any(thread.name == THREAD_NAME for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("length", "size", "batch_words", "expected"), [(2, 7, 6, 3), (3, 10, 6, 5), (40, 3, 6, 3), (5, 4, 20, 1)]
)
def test_sentences_of_one_length_are_cut_evenly(length, size, batch_words, expected):
    assert count_batches(length, size, batch_words) == expected
    parts = cut_lengths({length: size}, batch_words, None)
    assert len(parts) == expected
    sizes = [len(chosen) for _, chosen in parts]
    assert max(sizes) - min(sizes) <= 1


def test_rows_of_all_words_are_counted_and_in_order():
    sentences = make_sentences()
    assert sentences.num_words == NUM_ROWS
    assert (np.diff(sentences.every_row[:, 0]) > 0).all()
    assert sentences.every_row.shape == (NUM_ROWS, 1)
