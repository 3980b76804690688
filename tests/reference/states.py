"""The slow, obvious way to the rows of a cache: every sentence alone, every word cut into pieces by itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from probes.types import Corpus, Sentence

Row = tuple[str, int]
Combine = Callable[[np.ndarray], np.ndarray]
WORD: dict[str, Combine] = {
    "first": lambda pieces: pieces[0],
    "last": lambda pieces: pieces[-1],
    "mean": lambda pieces: pieces.mean(axis=0),
}


class SlowReader:
    """A plain transformers model that reads one sentence at a time, without mask, padding or batch."""

    def __init__(self, folder: Path | str, max_pieces: int = 64) -> None:
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.room = max_pieces - 2

    def words(self, corpus: Corpus, split: str) -> list[Row]:
        """(sentence id, word) of every word all of whose pieces fit."""
        return [(sentence.id, word) for sentence in corpus[split] for word in self._pieces(sentence)[1]]

    def word_rows(self, corpus: Corpus, split: str, how: str) -> np.ndarray:
        """One row for each of `words` as [layer, row, dim]."""
        rows = []
        for sentence in corpus[split]:
            pieces, spans = self._pieces(sentence)
            states = self._states(pieces)
            for start, end in spans.values():
                rows.append([WORD[how](layer) for layer in states[:, start + 1 : end + 1]])
        return np.array(rows).transpose(1, 0, 2)

    def sentence_rows(self, corpus: Corpus, split: str, how: str) -> np.ndarray:
        """One row a sentence as [layer, row, dim]: [CLS], or the mean over all pieces, special ones too."""
        rows = []
        for sentence in corpus[split]:
            states = self._states(self.tokenizer.tokenize(sentence.text or " ".join(sentence.words)))
            rows.append(states[:, 0] if how == "cls" else states.mean(axis=1))
        return np.array(rows).transpose(1, 0, 2)

    def _pieces(self, sentence: Sentence) -> tuple[list[str], dict[int, tuple[int, int]]]:
        pieces, spans = [], {}
        for number, word in enumerate(sentence.words):
            start = len(pieces)
            pieces.extend(self.tokenizer.tokenize(word))
            if start < len(pieces) <= self.room:
                spans[number] = (start, len(pieces))
        return pieces, spans

    def _states(self, pieces: list[str]) -> np.ndarray:
        pieces = ["[CLS]", *pieces[: self.room], "[SEP]"]
        ids = torch.tensor([self.tokenizer.convert_tokens_to_ids(pieces)])
        with torch.no_grad():
            output = self.model(ids, output_hidden_states=True)
        return torch.stack(output.hidden_states)[:, 0].numpy()
