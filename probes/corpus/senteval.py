"""SentEval's probing tasks: one file a task, each line with its split, its label and its words."""

from pathlib import Path

from probes.config import logical_name
from probes.corpus.locate import match_files
from probes.corpus.text import Line, claim_id, line_error, read_lines
from probes.errors import CorpusError, list_names
from probes.types import Corpus, Sentence

# Conneau et al. 2018, table 2; file names as in the repository of SentEval.
FILES = {
    "SentLen": "sentence_length.txt",
    "WC": "word_content.txt",
    "TreeDepth": "tree_depth.txt",
    "TopConst": "top_constituents.txt",
    "BShift": "bigram_shift.txt",
    "Tense": "past_present.txt",
    "SubjNum": "subj_number.txt",
    "ObjNum": "obj_number.txt",
    "SOMO": "odd_man_out.txt",
    "CoordInv": "coordination_inversion.txt",
}
SPLIT_CODES = {"tr": "train", "va": "dev", "te": "test"}


def read_senteval(path: str) -> Corpus:
    """One of SentEval's probing tasks: sentences of words with a label, all splits from one file.

    Words are what stands between spaces, as SentEval itself reads them; each sentence is its own group. The path names
    one file, under its official name (`FILES`) or another. Raises CorpusError with file and line for any line that is
    not `tr`, `va` or `te`, a tab, a label, a tab and words.
    """
    files = match_files(path)
    if len(files) != 1:
        raise CorpusError(
            f"SentEval has one file a task, but {path!r} names {len(files)}: {files[0].name}, {files[1].name}, …. "
            f"Name one; the official ones are {list_names(Path(path).name, FILES.values())}."
        )
    splits: dict[str, list[Sentence]] = {split: [] for split in SPLIT_CODES.values()}
    places: dict[str, str] = {}
    for line in read_lines(files[0]):
        split, sentence = _read_line(files[0], line)
        claim_id(places, sentence.id, files[0], line[0], "Name the file once.")
        splits[split].append(sentence)
    if not any(splits.values()):
        raise line_error(files[0], 1, "sentences", "a file without any", "Fill the file, or remove it.")
    return Corpus(
        name=logical_name(path), splits={split: tuple(sentences) for split, sentences in splits.items() if sentences}
    )


def _read_line(path: Path, line: Line) -> tuple[str, Sentence]:
    """The split that a line says, and its sentence; its id counts all lines of the file."""
    number, text = line
    values = text.split("\t")
    if len(values) != 3:
        came = f"{len(values)} in {text[:60]!r}"
        raise line_error(path, number, "3 columns", came, "Write split, label and words with a tab between them.")
    code, label, words = values
    if code not in SPLIT_CODES:
        expected = f"a split ({list_names(code, SPLIT_CODES)})"
        raise line_error(path, number, expected, repr(code[:60]), "Correct the first column.")
    if not label.strip():
        raise line_error(path, number, "a label", repr(label), "Label the sentence, or remove it.")
    if not words.strip():
        raise line_error(path, number, "words", repr(words[:60]), "Add them, or remove the line.")
    sentence_id = f"{path.stem}-{number}"
    sentence = Sentence(id=sentence_id, words=tuple(words.split()), group=sentence_id, attributes={"label": label})
    return SPLIT_CODES[code], sentence
