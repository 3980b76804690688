"""Labels of sentences that a treebank gives, by the name of the task."""

from collections.abc import Callable

from probes.task.balance import Labels
from probes.task.clause import object_number, root_tense, subject_number
from probes.task.content import word_content
from probes.task.depth import tree_depth
from probes.task.length import sentence_length
from probes.task.root import root_dependents
from probes.types import Corpus

# Name -> labels of every split, one a sentence in order, None where it is no example; the number is the seed.
SENTENCE_LABELS: dict[str, Callable[[Corpus, int], Labels]] = {
    "object_number": object_number,
    "root_dependents": root_dependents,
    "root_tense": root_tense,
    "sentence_length": sentence_length,
    "subject_number": subject_number,
    "tree_depth": tree_depth,
    "word_content": word_content,
}
