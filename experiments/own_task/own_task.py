"""A reader and a task of one's own: verses, and whether a verse ends like the one before it (README.md beside it)."""

from collections.abc import Mapping

from probes.corpus.locate import find_splits
from probes.corpus.text import read_lines
from probes.task.example import Example, make_task
from probes.task.join import check_splits, join_sentences
from probes.types import Corpus, RowIndex, Sentence, Task


def read_verses(path: str) -> Corpus:
    """One sentence a verse; the poem is the group, so intervals resample poems."""
    splits = {}
    for split, files in find_splits(path).items():
        verses: list[Sentence] = []
        for file in files:
            poem, before = 1, ""
            for number, line in read_lines(file):
                if not line.strip():
                    poem, before = poem + 1, ""
                    continue
                words = tuple(line.split())
                attributes = {"before": before} if before else {}
                name = f"{file.stem}-{number}"
                verses.append(Sentence(name, words, group=f"{file.stem}-poem-{poem}", attributes=attributes))
                before = words[-1]
        splits[split] = tuple(verses)
    return Corpus("verses", splits)


class RhymeTask:
    """Whether the last three letters of a verse are those of the verse before it; first verses are no examples."""

    unit = "sentence"

    def __call__(self, name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
        check_splits(name, corpus, indexes)
        examples = {
            split: [
                Example((rows.start,), verse, "rhyme" if _rhymes(verse) else "none", text=" ".join(verse.words))
                for verse, rows in join_sentences(corpus, split, index)
                if "before" in verse.attributes
            ]
            for split, index in indexes.items()
        }
        return make_task(name, "sentence", indexes, examples)


rhyme = RhymeTask()


def _rhymes(verse: Sentence) -> bool:
    return verse.words[-1].lower()[-3:] == verse.attributes["before"].lower()[-3:]
