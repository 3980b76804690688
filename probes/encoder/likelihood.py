"""How likely a masked-word encoder finds a text: each piece is hidden in turn and predicted from the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from tokenizers import Encoding

from probes.encoder.output import MaskedHead
from probes.encoder.plan import plan_batches
from probes.errors import EncoderError


@dataclass(frozen=True, slots=True)
class Blank:
    """A text with one piece to predict."""

    text: int
    """Its number among the texts."""
    place: int
    """The piece that is predicted."""
    hidden: tuple[int, ...]
    """The pieces that are [MASK]: this one and those of its word behind it."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What an encoder makes of some texts."""

    nats: Float[np.ndarray, "layer text"]
    """Pseudo-log-likelihood, by the head on every layer."""
    num_pieces: Int[np.ndarray, " text"]
    """Special pieces counted too."""


def pseudo_log_likelihood(head: MaskedHead, texts: Sequence[str]) -> Likelihood:
    """Sum over pieces of ln P(piece | the rest of the text), as the head reads it from every layer; the last is the
    encoder's own output, those below are what it would say if its blocks ended there ("logit lens").

    Pseudo-log-likelihood of Salazar et al. (2020, section 2), with the pieces of the same word behind the predicted one
    hidden too, so that a rare word of many pieces does not give itself away (Kauf and Ivanova 2023, PLL-word-l2r).
    Special pieces are never predicted. Raises EncoderError for a text that is too long.
    """
    encoder = head.encoder
    encodings = encoder.cut_into_pieces(texts)
    for number, encoding in enumerate(encodings):
        if len(encoding.ids) > encoder.max_pieces:
            raise EncoderError(
                f"Encoder {encoder.config.name!r} reads at most {encoder.max_pieces} pieces, but text {number} has "
                f"{len(encoding.ids)}: {texts[number][:60]!r}. Leave it out."
            )
    blanks = [blank for number, one in enumerate(encodings) for blank in _blanks(number, one.word_ids)]
    totals = np.zeros((len(encoder.layers), len(texts)))
    num_pieces = np.asarray([len(one.ids) for one in encodings])
    for batch in plan_batches(num_pieces[[blank.text for blank in blanks]], encoder.config.batch_pieces):
        chosen = [blanks[number] for number in batch]
        found = _predict(head, chosen, [encodings[blank.text] for blank in chosen])
        for place, blank in enumerate(chosen):
            totals[:, blank.text] += found[:, place]
    return Likelihood(totals, num_pieces)


def _blanks(text: int, words: Sequence[int | None]) -> Iterator[Blank]:
    for place, word in enumerate(words):
        if word is not None:
            behind = (other for other in range(place, len(words)) if words[other] == word)
            yield Blank(text, place, tuple(behind))


def _predict(
    head: MaskedHead, blanks: Sequence[Blank], encodings: Sequence[Encoding]
) -> Float[np.ndarray, "layer blank"]:
    """Log-probability of each hidden piece, by the head on each layer."""
    pieces = []
    for blank, encoding in zip(blanks, encodings, strict=True):
        ids = np.asarray(encoding.ids)
        ids[list(blank.hidden)] = head.mask_id
        pieces.append(ids)
    batch = head.encoder.pad_pieces(pieces, [one.type_ids for one in encodings])
    batch = {name: part.to(head.encoder.device) for name, part in batch.items()}
    places = torch.tensor([blank.place for blank in blanks], device=head.encoder.device)
    wanted = [one.ids[blank.place] for blank, one in zip(blanks, encodings, strict=True)]
    texts = torch.arange(len(blanks), device=head.encoder.device)
    found = []
    for state in head.encoder.forward(batch).hidden_states:
        scores = head.log_probabilities(state[texts, places])
        found.append(scores[texts, torch.tensor(wanted, device=scores.device)].double().cpu().numpy())
    return np.stack(found)
