"""The whole corpus through the tokenizer, once."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tokenizers import Encoding

from probes.cache.column import Columns
from probes.encoder.align import How, pooled_span, word_spans
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.scan import COLUMNS, SUMMARY_NAME, Scan, read_scan
from probes.encoder.text import Texts, chunks, encoder_input
from probes.encoder.window import Ends, Span, Window, cut_windows, take_window
from probes.errors import CorpusError
from probes.types import Corpus, Pair, Sentence, Unit

CHUNK = 512


def scan_corpus(encoder: FrozenEncoder, corpus: Corpus, unit: Unit, texts: Texts, folder: Path) -> Scan:
    """Tokenise the corpus into `folder`; of what grows with it only ids and word types stay in memory.

    Raises CorpusError for a text that is too long (unless it may be cut or read in windows) and a word that the
    tokenizer loses (unless it may be dropped).
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY_NAME).unlink(missing_ok=True)
    number = 0
    with Columns(folder, COLUMNS) as columns:
        scanner = _Scanner(encoder, corpus.name, unit, columns)
        for split, sentences in corpus.splits.items():
            scanner.ids[split] = []
            for chunk, encodings in _tokenised(encoder, sentences, unit):
                for sentence, encoding in zip(chunk, encodings, strict=True):
                    windows = scanner.read(sentence, encoding)
                    scanner.write(sentence, windows, number, is_first=int(texts.first_of[number]) == number)
                    number += 1
                scanner.ids[split].extend(sentence.id for sentence in chunk)
    scanner.finish(folder)
    scan = read_scan(folder, unit)
    assert scan is not None
    return scan


def _tokenised(
    encoder: FrozenEncoder, sentences: Sequence[Sentence], unit: Unit
) -> Iterator[tuple[list[Sentence], list[Encoding]]]:
    """Chunks of sentences with their pieces; the next chunk is cut while the caller looks at this one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: tuple[list[Sentence], Future[list[Encoding]]] | None = None
        for chunk in chunks(sentences, CHUNK):
            texts = [encoder_input(sentence, unit) for sentence in chunk]
            before, waiting = waiting, (chunk, pool.submit(encoder.cut_into_pieces, texts))
            if before is not None:
                yield before[0], before[1].result()
        if waiting is not None:
            yield waiting[0], waiting[1].result()


@dataclass
class _Scanner:
    encoder: FrozenEncoder
    corpus: str
    unit: Unit
    columns: Columns
    ids: dict[str, list[str]] = field(default_factory=dict)
    vocabulary: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    """Code of the type of each word as it is written."""
    cut: dict[str, list[int]] = field(default_factory=dict)
    lost: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Asked for every sentence, and slow to ask: a configuration of transformers looks its values up.
        self.max_pieces: int = self.encoder.max_pieces
        self.how: How = self.encoder.pooling(self.unit)
        self.cutter = self.encoder.cutter()

    def read(self, sentence: Sentence, encoding: Encoding) -> list[Window]:
        """The windows of a sentence, with their rows; notes what is cut and lost."""
        config = self.encoder.config
        is_long = len(encoding.ids) > self.max_pieces
        if is_long and config.length == "error":
            raise CorpusError(
                f"Encoder {config.name!r} reads at most {self.max_pieces} pieces, but sentence "
                f"{sentence.id!r} of corpus {self.corpus!r} has {len(encoding.ids)}. "
                f"Split it, or set encoder.length to truncate{' or window' if self.unit == 'word' else ''}."
            )
        if self.unit == "sentence":
            return [self._whole(sentence, encoding, is_long=is_long)]
        return self._words(sentence, encoding, is_long=is_long)

    def write(self, sentence: Sentence, windows: list[Window], number: int, *, is_first: bool) -> None:
        """Append the rows of a sentence, and its windows if no sentence before it has the same text."""
        words = [word for window in windows for word in window.words]
        spans = [span for window in windows for span in window.spans]
        is_word = self.unit == "word"
        self.columns.append("word", words)
        self.columns.append("types", [self._code(sentence.words[word]) if is_word else -1 for word in words])
        self.columns.append("first", [first for first, _ in spans])
        self.columns.append("last", [last for _, last in spans])
        self.columns.append("sentence_rows", [len(words)])
        for window in (window for window in windows if window.words and is_first):
            self.columns.append("piece", window.pieces)
            self.columns.append("segment", window.segments)
            self.columns.append("window_pieces", [len(window.pieces)])
            self.columns.append("window_rows", [len(window.words)])
            self.columns.append("window_sentence", [number])

    def finish(self, folder: Path) -> None:
        """Write the summary; it comes last, for with it the scan is whole."""
        summary = {"ids": self.ids, "vocabulary": list(self.vocabulary), "cut": self.cut, "lost": self.lost}
        unfinished = folder / f"{SUMMARY_NAME}.new"
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(summary, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(folder / SUMMARY_NAME)

    def _whole(self, sentence: Sentence, encoding: Encoding, *, is_long: bool) -> Window:
        if is_long:
            text = encoder_input(sentence, "sentence")
            encoding = self.cutter.encode(*text) if isinstance(text, Pair) else self.cutter.encode(str(text))
            self.cut[sentence.id] = []
        if not encoding.ids:
            raise CorpusError(
                f"The tokenizer of {self.encoder.config.name!r} should give every text a piece, but gives none to "
                f"sentence {sentence.id!r} of corpus {self.corpus!r}. Remove it or fill it."
            )
        span = pooled_span((0, len(encoding.ids) - 1), self.how)
        return Window(encoding.ids, encoding.type_ids, (0,), (span,))

    def _words(self, sentence: Sentence, encoding: Encoding, *, is_long: bool) -> list[Window]:
        spans = word_spans(encoding.word_ids)
        if len(spans) < len(sentence.words):
            self._note_lost(sentence, spans)
        if is_long:
            return self._long(sentence, encoding, spans)
        pooled = tuple(pooled_span(span, self.how) for span in spans.values())
        return [Window(encoding.ids, encoding.type_ids, tuple(spans), pooled)]

    def _long(self, sentence: Sentence, encoding: Encoding, spans: dict[int, Span]) -> list[Window]:
        """A text beyond the limit: cut, or in windows."""
        ends = Ends.of(encoding)
        inner = {word: (first - ends.opening, last - ends.opening) for word, (first, last) in spans.items()}
        num_pieces = len(encoding.ids) - ends.opening - ends.closing
        room = self.max_pieces - ends.opening - ends.closing
        if self.encoder.config.length == "window":
            starts = self._cut_windows(sentence, inner, num_pieces, room)
        else:
            starts = {0: tuple(word for word, (_, last) in inner.items() if last < room)}
            if cut := [word for word, (_, last) in inner.items() if last >= room]:
                self.cut[sentence.id] = cut
        windows = []
        for start, words in starts.items():
            pieces, segments = take_window(encoding, ends, start, start + room)
            pooled = (pooled_span(spans[word], self.how) for word in words)
            windows.append(Window(pieces, segments, words, tuple((a - start, b - start) for a, b in pooled)))
        return windows

    def _cut_windows(
        self, sentence: Sentence, spans: dict[int, Span], num_pieces: int, room: int
    ) -> dict[int, tuple[int, ...]]:
        try:
            return cut_windows(spans, num_pieces, room)
        except CorpusError as error:
            raise CorpusError(
                f"Every word should fit into one window, but in sentence {sentence.id!r} of corpus {self.corpus!r} "
                f"{error}. Shorten the word, or set encoder.length to truncate."
            ) from None

    def _note_lost(self, sentence: Sentence, spans: dict[int, Span]) -> None:
        lost = [word for word in range(len(sentence.words)) if word not in spans]
        if self.encoder.config.lost_words == "error":
            raise CorpusError(
                f"The tokenizer of {self.encoder.config.name!r} should give every word a piece, but loses word "
                f"{lost[0] + 1} of sentence {sentence.id!r}, {sentence.words[lost[0]]!r}. "
                f"Correct the word, or set encoder.lost_words to drop."
            )
        self.lost[sentence.id] = lost

    def _code(self, word: str) -> int:
        """Code of the word's type; the normaliser is asked once for each way of writing it."""
        if word not in self.codes:
            self.codes[word] = self.vocabulary.setdefault(self.encoder.word_type(word), len(self.vocabulary))
        return self.codes[word]
