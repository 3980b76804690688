"""What the probes of every layer say about one text: in the terminal and as HTML, with disagreement at sight."""

import html
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from rich.console import RenderableType

# Okabe and Ito's colours for labels, in order of their frequency here; further labels are grey.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07d00", "#2f8fc4", "#7a6f00")
GREY = "#767676"
BAR = 20


@dataclass(frozen=True, repr=False)
class Shown:
    """The answers of one curve for one text.

    `shares[layer, word, label]` are probabilities; the text of a sentence task is one "word".
    """

    title: str
    words: tuple[str, ...]
    layers: tuple[str, ...]
    labels: tuple[str, ...]
    shares: Float[np.ndarray, "layer word label"]
    is_sentence: bool

    @cached_property
    def answers(self) -> list[list[str]]:
        """Labels by layer and word."""
        return [[self.labels[code] for code in codes] for codes in self.shares.argmax(axis=2).tolist()]

    @cached_property
    def usual(self) -> list[tuple[str, int]]:
        """For each word the label that most layers give it, of equals the one of the lower layer; and how many do."""
        return [Counter(labels).most_common(1)[0] for labels in zip(*self.answers, strict=True)]

    @cached_property
    def colors(self) -> dict[str, str]:
        """A colour for each label that occurs."""
        counted = Counter(label for answers in self.answers for label in answers).most_common()
        return {label: COLORS[place] if place < len(COLORS) else GREY for place, (label, _) in enumerate(counted)}

    def to_dict(self) -> dict:
        """Plain JSON: the label and its probability for each layer and word."""
        best = self.shares.max(axis=2).round(4).tolist()
        return {
            "title": self.title,
            "words": list(self.words),
            "layers": {name: self.answers[layer] for layer, name in enumerate(self.layers)},
            "probabilities": {name: best[layer] for layer, name in enumerate(self.layers)},
        }

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(no_color=True, width=200, highlight=False)
        with console.capture() as captured:
            console.print(to_terminal(self))
        return "\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n")

    def __repr__(self) -> str:
        return f"<Shown {self.title}: {len(self.words)} words, {len(self.layers)} layers>"

    def _repr_html_(self) -> str:
        return to_html(self)


def to_terminal(shown: Shown) -> "RenderableType":
    """A coloured table: a row a word and a column a layer, or a row a layer for a sentence."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=shown.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    if shown.is_sentence:
        for name in ("layer", "label", "probability", ""):
            table.add_column(name)
        for layer, name in enumerate(shown.layers):
            label, share = shown.answers[layer][0], float(shown.shares[layer, 0].max())
            bar = Text("█" * round(share * BAR), style=shown.colors[label])
            table.add_row(name, Text(label, style=f"bold {shown.colors[label]}"), f"{share:.2f}", bar)
        return table
    table.add_column("word")
    for name in shown.layers:
        table.add_column(name)
    table.add_column("agree", justify="right")
    for place, word in enumerate(shown.words):
        cells = [_cell(shown, layer, place) for layer in range(len(shown.layers))]
        table.add_row(word, *cells, f"{shown.usual[place][1]}/{len(shown.layers)}")
    return table


def _cell(shown: Shown, layer: int, word: int) -> "RenderableType":
    """The label of a word; one that is not the usual one stands out without colours too."""
    from rich.text import Text

    label = shown.answers[layer][word]
    color = shown.colors[label]
    if label == shown.usual[word][0]:
        return Text(label, style=color)
    return Text(f"*{label}", style=f"bold white on {color}")


def to_html(shown: Shown) -> str:
    """The same table as HTML, without a script; a cell's tooltip has the three likeliest labels."""
    if shown.is_sentence:
        header = ("layer", "label", "probability")
        rows = [
            f'<tr><th scope="row">{_escape(name)}</th>{_html_cell(shown, layer, 0)}'
            f"<td>{shown.shares[layer, 0].max():.2f}</td></tr>"
            for layer, name in enumerate(shown.layers)
        ]
    else:
        header = ("word", *shown.layers, "agree")
        rows = []
        for place, word in enumerate(shown.words):
            cells = "".join(_html_cell(shown, layer, place) for layer in range(len(shown.layers)))
            agreement = f"{shown.usual[place][1]}/{len(shown.layers)}"
            rows.append(f'<tr><th scope="row">{_escape(word)}</th>{cells}<td>{agreement}</td></tr>')
    head = "".join(f'<th scope="col">{_escape(name)}</th>' for name in header)
    return (
        f'<table style="border-collapse:collapse;font-family:sans-serif"><caption style="text-align:left">'
        f"{_escape(shown.title)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _html_cell(shown: Shown, layer: int, word: int) -> str:
    label, shares = shown.answers[layer][word], shown.shares[layer, word]
    first = np.argsort(-shares, kind="stable")[:3]
    tip = ", ".join(f"{shown.labels[code]} {shares[code]:.2f}" for code in first)
    color, is_usual = shown.colors[label], label == shown.usual[word][0]
    look = f"color:{color}" if is_usual else f"color:#fff;background:{color};font-weight:bold"
    return f'<td title="{_escape(tip)}" style="padding:.2em .5em;{look}">{_escape(label)}</td>'


def html_page(every: list[Shown]) -> str:
    """A page of such tables."""
    body = "\n".join(map(to_html, every))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Answers by layer</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"></head>\n<body>\n{body}\n'
        "<p>A filled cell differs from what most layers answer.</p>\n</body></html>\n"
    )


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
