"""The whole tour: train, measure, judge, and write the page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from unrolled.errors import UsageError, named
from unrolled.page.document import Section, document
from unrolled.runs.plan import Say
from unrolled.tour.attention_chapters import attention_chapters
from unrolled.tour.claims import Claim, claims
from unrolled.tour.observed import Measured, measure
from unrolled.tour.recurrent_chapters import recurrent_chapters
from unrolled.tour.tiny import Tiny, train
from unrolled.tour.wording import paragraphs
from unrolled.views.shown import verdicts

__all__ = ["Tour", "page", "walk"]


@dataclass(frozen=True, slots=True)
class Tour:
    """The tour.

    Attributes:
        html: the page.
        claims: what was claimed, and whether it came true.
        seconds: how long it took.
    """

    html: str
    claims: tuple[Claim, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """All but the page."""
        return {"seconds": round(self.seconds, 1), "claims": [asdict(claim) for claim in self.claims]}


def walk(*, steps: int | None = None, seed: int = 0, say: Say = lambda _: None) -> Tour:
    """Train the models, measure them and write the page.

    Args:
        steps: the most training steps of each model, ≥ 1; ``None``: as many as it takes. With few, claims do not come
            true, and the page says so.
        seed: of the weights and the rows, ≥ 0.
        say: receives a line for each thing that is done.

    Raises:
        UsageError: a number is out of range.
    """
    if steps is not None and steps < 1:
        raise UsageError(f"{named('steps')} must be at least 1, got {steps}")
    if seed < 0:
        raise UsageError(f"{named('seed')} must be at least 0, got {seed}")
    began = time.monotonic()
    tiny = train(steps, seed, say)
    say("measuring")
    found = measure(tiny, steps, seed)
    judged, seconds = claims(found), time.monotonic() - began
    html = page(tiny, found, judged, f"trained and measured in {seconds:.0f} s, seed {seed}")
    return Tour(html, tuple(judged.values()), seconds)


def page(tiny: Tiny, found: Measured, judged: Mapping[str, Claim], subtitle: str) -> str:
    """The page.

    Args:
        tiny, found: the models, and what was measured on them.
        judged: the claims by their names.
        subtitle: what stands below the title.
    """
    true = sum(claim.holds for claim in judged.values())
    sections = [
        Section("What this page is", _about(true, len(judged))),
        verdicts([(name, str(claim)) for name, claim in judged.items()]),
        *recurrent_chapters(tiny, found, judged),
        *attention_chapters(found, judged),
    ]
    return document("A tour of sequence models", subtitle, sections)


def _about(true: int, count: int) -> str:
    return paragraphs(
        "A tanh RNN, an LSTM and a transformer were just trained to remember the first symbol of a row, and an "
        "encoder–decoder to write digits backwards, with attention and, to compare, without it. Their rows are made "
        "up, so that what there is to learn is known. Every number on this page was measured on these models; none "
        "is from a book.",
        f"{true} of {count} claims came true in this run. Where one did not, its chapter says so.",
    )
