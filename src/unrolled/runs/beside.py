"""Two runs on the same data: where each is better, what each remembers, and how alike their layers are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Windows
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import UsageError, named
from unrolled.inspection.ablation import SURE
from unrolled.inspection.context import Context
from unrolled.inspection.likeness import CAVEAT, likeness
from unrolled.inspection.memory_horizon import Horizon
from unrolled.inspection.step_losses import (
    RowLosses,
    losses_of_answers,
    losses_of_row,
    segments,
    shared_states,
)
from unrolled.runs.measuring import finite, reach_and_context
from unrolled.runs.trained import Trained

__all__ = ["Beside", "Difference", "LayerPair", "beside"]

_STEPS, _ROWS, _WINDOW = 8_000, 32, 4_000  # steps in all; rows, and steps of a row
_ANSWERS = 256
_LISTED = 10


class Difference(NamedTuple):
    """One place of the data.

    Attributes:
        row: its number, from 0.
        begin, end: from where to where: characters of a text, steps, or rows.
        ours, theirs: the losses there.
        came: what came.
        expected: what each model answered first; ``None`` where an answer is no symbol.
    """

    row: int
    begin: int
    end: int
    ours: float
    theirs: float
    came: str
    expected: tuple[str, str] | None


class LayerPair(NamedTuple):
    """A layer of each model, and their linear CKA at the same steps."""

    ours: str
    theirs: str
    cka: float


@dataclass(frozen=True, slots=True)
class Beside:
    """Another model on the same data.

    Attributes:
        other: what it is called.
        unit: what the losses are counted over: characters, steps or rows.
        measure: what the loss is.
        places: each place where answers of both end; ``ours − theirs`` adds up to ``total``.
        count: how many units these hold.
        total: the loss of this model less that of the other, over all places.
        error: the standard error of ``total``, paired over the places.
        reach, context: of the other model.
        layers: each pair of layers.
        why: why there are no places; empty where there are.
    """

    other: str
    unit: str
    measure: str
    places: tuple[Difference, ...]
    count: int
    total: float
    error: float
    reach: Horizon | str
    context: Context | str
    layers: tuple[LayerPair, ...]
    why: str = ""

    @property
    def disagreements(self) -> tuple[Difference, ...]:
        """The ten places where their losses differ most, of those where their answers differ."""
        differ = [one for one in self.places if one.expected is None or one.expected[0] != one.expected[1]]
        return tuple(sorted(differ, key=lambda one: -abs(one.ours - one.theirs))[:_LISTED])

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What differs, in a sentence each."""
        reach, context = (one if isinstance(one, str) else one.sentence for one in (self.reach, self.context))
        return (self._of_losses(), f"its reach: {reach}", f"its context: {context}", *self._of_layers())

    def to_json(self) -> dict[str, Any]:
        """All of it, in names and numbers; what is not finite is ``None``."""
        measures = {
            name: None if isinstance(one, str) else finite(asdict(one))
            for name, one in (("reach", self.reach), ("context", self.context))
        }
        return {
            "run": self.other,
            "unit": self.unit,
            "measure": self.measure,
            "count": self.count,
            **finite({"total": self.total, "error": self.error}),
            **measures,
            "layers": [finite(pair._asdict()) for pair in self.layers],
            "disagreements": [one._asdict() for one in self.disagreements],
            "places": [{"row": one.row, "end": one.end, "ours": one.ours, "theirs": one.theirs} for one in self.places],
        }

    def _of_losses(self) -> str:
        if not self.places:
            return f"{self.other} cannot be set beside it step by step: {self.why}"
        ours, theirs = (sum(getattr(one, side) for one in self.places) / self.count for side in ("ours", "theirs"))
        mean, error = self.total / self.count, self.error / self.count
        which = "neither is surely better"
        if abs(self.total) > SURE * self.error:
            which = f"{self.other} is better" if self.total > 0 else f"{self.other} is worse"
        differ = sum(one.expected is not None and one.expected[0] != one.expected[1] for one in self.places)
        answers = f"; {differ:,} of {len(self.places):,} answers differ" if self.places[0].expected is not None else ""
        return (
            f"{which}: over the same {self.count:,} {self.unit}s this model's {self.measure} is {ours:.4g} a "
            f"{self.unit} and that of the other {theirs:.4g}, a difference of {mean:+.2g} ± {error:.1g}{answers}"
        )

    def _of_layers(self) -> Iterator[str]:
        known = [pair for pair in self.layers if not math.isnan(pair.cka)]
        if known:
            best = max(known, key=lambda pair: pair.cka)
            yield f"most alike are its {best.theirs} and the {best.ours} of this model, CKA {best.cka:.2f}; {CAVEAT}"


def beside(trained: Trained, other: Trained, part: Sequences, row: int = 0) -> Beside:
    """Set another model beside ``trained`` on the same data.

    Both are asked the same: from ``row`` on, at most 32 rows and 8 000 steps, or 256 answers where there is one for
    each row. Texts are compared character by character, whatever the tokens of the models are.

    Args:
        trained, other: models of the same kind: one task, and the same target.
        part: the data.
        row: the first row, from 0.

    Raises:
        UsageError: the models are not of the same kind.
        DataError: the other model cannot read the data, or does not read the same characters.

    Cost: a run of both over the steps, and `reach_and_context` of the other.
    """
    kinds = [_kind(one) for one in (trained, other)]
    called = str(other.folder or "the other model")
    if kinds[0] != kinds[1]:
        raise UsageError(
            f"{named('against')} needs a model that is asked the same: the task of this one is {kinds[0]}, and that of "
            f"{called} {kinds[1]}"
        )
    reach, context = reach_and_context(other, part)
    both = [one.encode(part, target=True) for one in (trained, other)]
    coder = trained.task.coder
    # Rows without a target are not encoded; these are the numbers of the others.
    numbers = np.arange(len(part)) if coder.continues else np.flatnonzero(part.column(coder.target).is_valid())
    places: list[Difference] = []
    states: tuple[dict[str, list[np.ndarray]], dict[str, list[np.ndarray]]] = ({}, {})
    why, unit = "", "row"
    try:
        for number, mine, theirs in _pairs(trained, other, both, part, numbers, row):
            unit = "row" if trained.task.pooled else "character" if mine.text else "step"
            places += (
                Difference(int(numbers[one.end - 1]) if unit == "row" else number, *one)
                for one in segments(mine, theirs)
            )
            for kept, shared in zip(states, shared_states(mine, theirs), strict=True):
                for name, values in shared.items():
                    kept.setdefault(name, []).append(values)
    except UsageError as error:
        why = str(error)
    differences = np.array([one.ours - one.theirs for one in places])
    ours, theirs_too = ({name: np.concatenate(values) for name, values in side.items()} for side in states)
    return Beside(
        other=called,
        unit=unit,
        measure="loss in nats" if unit == "character" else trained.task.watch,
        places=tuple(places),
        count=sum(one.end - one.begin for one in places) if unit == "character" else len(places),
        total=float(differences.sum()),
        error=float(differences.std(ddof=1) * math.sqrt(len(places))) if len(places) > 1 else math.inf,
        reach=reach,
        context=context,
        layers=tuple(LayerPair(a, b, likeness(x, y)) for a, x in ours.items() for b, y in theirs_too.items()),
        why=why or ("" if places else "no answer is known to both"),
    )


def _kind(trained: Trained) -> str:
    """What a model is asked, in words."""
    coder = trained.task.coder
    text = ", read as a text" if coder.form.predicts_next and isinstance(coder.answer, Text) else ""
    ahead = f", {coder.horizon} steps ahead" if coder.horizon else ""
    return f"{trained.task.name} of {coder.target!r}{text}{ahead}"


def _pairs(
    trained: Trained, other: Trained, both: list[Examples], part: Sequences, numbers: np.ndarray, row: int
) -> Iterator[tuple[int, RowLosses, RowLosses]]:
    """(row, the losses of one, the losses of the other)."""
    sides = [(one.network, one.task) for one in (trained, other)]
    form = trained.task.coder.form
    if form.horizon or form.own_length or form.writes or (form.continues and not form.predicts_next):
        raise UsageError("only steps or rows that are judged one by one can be")
    scales = [[] if (units := one.task.coder.units) is None else units.std.tolist() for one in (trained, other)]
    if trained.task.watch != other.task.watch or scales[0] != scales[1]:
        raise UsageError(f"their losses are in different units ({trained.task.watch}, {other.task.watch})")
    counts = [one.form.plans.questions(one.steps()) for one in both]
    if trained.task.pooled:
        rows = np.flatnonzero(np.minimum(*counts) > 0)
        rows = rows[np.unique(np.linspace(0, max(len(rows) - 1, 0), min(len(rows), _ANSWERS)).astype(np.int64))]
        batches = [
            _windows(one, rows, steps, int(steps.max(initial=1))) for one, steps in zip(both, counts, strict=True)
        ]
        mine, theirs = (losses_of_answers(*side, batch) for side, batch in zip(sides, batches, strict=True))
        yield 0, mine, theirs
        return
    read = 0
    for at in np.flatnonzero((numbers >= row) & (numbers < row + _ROWS)).tolist():
        if read >= _STEPS:
            return
        if not min(steps[at] for steps in counts):
            continue
        number = int(numbers[at])
        batches = [
            _windows(one, np.array([at]), np.minimum(steps, _WINDOW), _WINDOW)
            for one, steps in zip(both, counts, strict=True)
        ]
        cell = part.table.column(trained.task.coder.target)[number].as_py() if form.predicts_next else None
        text = cell if isinstance(cell, str) else None
        mine, theirs = (losses_of_row(*side, batch, text) for side, batch in zip(sides, batches, strict=True))
        yield number, mine, theirs
        read += max(len(mine.losses), len(theirs.losses))


def _windows(examples: Examples, rows: np.ndarray, ends: np.ndarray, longest: int) -> Any:
    return Loader(examples, Windows(rows, ends[rows], longest, max(1, len(rows))))[0]
