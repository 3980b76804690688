"""One look at every sentence before anything is computed: lengths, rows, and what will be missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice

import numpy as np

from probes.encoder.align import word_spans
from probes.encoder.frozen import FrozenEncoder
from probes.errors import CorpusError
from probes.types import Corpus, RowIndex, Sentence, Unit

CHUNK = 512


@dataclass
class Scan:
    """What tokenising the corpus told; sentences are numbered through all splits in order."""

    unit: Unit
    ids: dict[str, list[str]] = field(default_factory=dict)
    num_pieces: list[int] = field(default_factory=list)
    """Pieces of each sentence, special pieces included, after cutting."""
    kept: list[np.ndarray] = field(default_factory=list)
    """Words of each sentence that have a row; [0] for a sentence vector."""
    types: list[np.ndarray] = field(default_factory=list)
    first_of: list[int] = field(default_factory=list)
    """The first sentence with the same text; only that one is computed."""
    vocabulary: dict[str, int] = field(default_factory=dict)
    cut: dict[str, list[int]] = field(default_factory=dict)
    lost: dict[str, list[int]] = field(default_factory=dict)
    text_hash: str = ""

    def index(self, split: str) -> RowIndex:
        """Rows of a split in corpus order."""
        start = 0
        for name, ids in self.ids.items():
            if name == split:
                break
            start += len(ids)
        kept, types = (part[start : start + len(self.ids[split])] for part in (self.kept, self.types))
        empty = np.zeros(0, dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum([len(words) for words in kept])]).astype(np.int64)
        return RowIndex(
            unit=self.unit,
            ids=self.ids[split],
            offsets=offsets,
            word=np.concatenate([empty, *kept]),
            types=np.concatenate([empty, *types]),
        )


def scan_corpus(encoder: FrozenEncoder, corpus: Corpus, unit: Unit) -> Scan:
    """Read the corpus once through the tokenizer.

    Raises CorpusError for an empty split, a double id, an empty sentence, a text that is too long (unless it
    may be cut) and a word that the tokenizer loses (unless it may be dropped).
    """
    scan, seen = Scan(unit), set()
    texts: dict[bytes, int] = {}
    digest = sha256(unit.encode())
    for split, sentences in corpus.splits.items():
        scan.ids[split] = []
        digest.update(f"\x00split {split}\x00".encode())
        for chunk in _chunks(sentences):
            _check_ids(chunk, seen, corpus, split)
            _scan_chunk(scan, encoder, chunk, corpus)
            for sentence in chunk:
                text = encoder_input(sentence, unit)
                key = sha256((text if isinstance(text, str) else "\x00".join(text)).encode()).digest()
                scan.first_of.append(texts.setdefault(key, len(scan.first_of)))
                digest.update(sentence.id.encode() + b"\x00" + key)
            scan.ids[split].extend(sentence.id for sentence in chunk)
        if not scan.ids[split]:
            raise CorpusError(
                f"Split {split!r} of corpus {corpus.name!r} should have sentences, but is empty. "
                f"Fill it or leave it out."
            )
    scan.text_hash = digest.hexdigest()
    return scan


def encoder_input(sentence: Sentence, unit: Unit) -> str | tuple[str, ...]:
    """What the tokenizer is given: the words for word vectors, running text for sentence vectors."""
    return sentence.words if unit == "word" else sentence.text or " ".join(sentence.words)


def _scan_chunk(scan: Scan, encoder: FrozenEncoder, chunk: list[Sentence], corpus: Corpus) -> None:
    for sentence in chunk:
        if not encoder_input(sentence, scan.unit):
            raise CorpusError(
                f"Every sentence of corpus {corpus.name!r} should have a {scan.unit} to read, but sentence "
                f"{sentence.id!r} has no {'words' if scan.unit == 'word' else 'text'}. Remove it or fill it."
            )
    encoding = encoder.tokenize([encoder_input(sentence, scan.unit) for sentence in chunk])
    for position, sentence in enumerate(chunk):
        num_pieces = len(encoding["input_ids"][position])
        if num_pieces > encoder.max_pieces and encoder.config.length == "error":
            raise CorpusError(
                f"Encoder {encoder.config.name!r} reads at most {encoder.max_pieces} pieces, but sentence "
                f"{sentence.id!r} of corpus {corpus.name!r} has {num_pieces}. "
                f"Split it, or set encoder.length to truncate."
            )
        scan.num_pieces.append(min(num_pieces, encoder.max_pieces))
        if scan.unit == "word":
            _scan_words(scan, encoder, sentence, encoding.word_ids(position))
        else:
            scan.kept.append(np.zeros(1, dtype=np.int32))
            scan.types.append(np.full(1, -1, dtype=np.int32))
            if num_pieces > encoder.max_pieces:
                scan.cut[sentence.id] = []


def _scan_words(scan: Scan, encoder: FrozenEncoder, sentence: Sentence, word_ids: list[int | None]) -> None:
    spans = word_spans(word_ids)
    closing = sum(word is None for word in word_ids[len(word_ids) // 2 :])
    limit = encoder.max_pieces - closing if len(word_ids) > encoder.max_pieces else len(word_ids)
    kept = [word for word, (_, last) in spans.items() if last < limit]
    lost = [word for word in range(len(sentence.words)) if word not in spans]
    if lost and encoder.config.lost_words == "error":
        raise CorpusError(
            f"The tokenizer of {encoder.config.name!r} should give every word a piece, but loses word "
            f"{lost[0] + 1} of sentence {sentence.id!r}, {sentence.words[lost[0]]!r}. "
            f"Correct the word, or set encoder.lost_words to drop."
        )
    if lost:
        scan.lost[sentence.id] = lost
    if len(kept) < len(spans):
        scan.cut[sentence.id] = [word for word, (_, last) in spans.items() if last >= limit]
    codes = [scan.vocabulary.setdefault(encoder.word_type(sentence.words[word]), len(scan.vocabulary)) for word in kept]
    scan.kept.append(np.asarray(kept, dtype=np.int32))
    scan.types.append(np.asarray(codes, dtype=np.int32))


def _check_ids(chunk: list[Sentence], seen: set[str], corpus: Corpus, split: str) -> None:
    for sentence in chunk:
        if sentence.id in seen:
            raise CorpusError(
                f"Every sentence of corpus {corpus.name!r} should have an id of its own, but {sentence.id!r} "
                f"comes again in split {split!r}. Rename one of them."
            )
        seen.add(sentence.id)


def _chunks(sentences: Sequence[Sentence]) -> Iterator[list[Sentence]]:
    stream = iter(sentences)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk
