"""What is often said of layers, each with what it would mean for a curve."""

from collections.abc import Callable
from dataclasses import dataclass

from specification import Specification


@dataclass(frozen=True)
class Claim:
    """What is said of layers, and whether the curves of its tasks, made alike, bear it out."""

    statement: str
    tasks: tuple[str, ...]
    holds: Callable[..., bool]
    source: str
    """A paper that says so, or from whose curves it is often taken."""


def later(lower: Specification, higher: Specification) -> bool:
    return higher.best > lower.best


CLAIMS = (
    Claim("part of speech is best read below the last layer", ("pos",), lambda one: one.depth < 1, "Liu et al. 2019"),
    Claim(
        "part of speech is best read in the lower half", ("pos",), lambda one: one.depth <= 0.5, "Tenney et al. 2019"
    ),
    Claim(
        "the embeddings are the worst layer for part of speech",
        ("pos",),
        lambda one: bool(one.curve[0] < one.curve[1:].min()),
        "Liu et al. 2019",
    ),
    Claim(
        "dependency labels are best read later than parts of speech",
        ("pos", "dependency_label"),
        later,
        "Tenney et al. 2019",
    ),
    Claim(
        "dependency labels are best read in the middle third",
        ("dependency_label",),
        lambda one: 1 / 3 <= one.depth <= 2 / 3,
        "Hewitt and Manning 2019",
    ),
    Claim(
        "sentence length is best read in the lower half",
        ("sentence_length",),
        lambda one: one.depth <= 0.5,
        "Jawahar et al. 2019",
    ),
    Claim(
        "bigram shift is best read in the upper half",
        ("bigram_shift",),
        lambda one: one.depth > 0.5,
        "Jawahar et al. 2019",
    ),
    Claim("the depth of trees comes after length", ("sentence_length", "tree_depth"), later, "Jawahar et al. 2019"),
    Claim("tense comes after length", ("sentence_length", "root_tense"), later, "Jawahar et al. 2019"),
    Claim(
        "the number of the subject is best read in the middle third",
        ("subject_number",),
        lambda one: 1 / 3 <= one.depth <= 2 / 3,
        "Jawahar et al. 2019",
    ),
)
