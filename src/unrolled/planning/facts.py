"""What is measured of the data before anything is chosen: a pure function of the encoded splits, without a clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unrolled.batch import MISSING, Continuous, Discrete
from unrolled.data.examples.examples import Examples
from unrolled.errors import counted
from unrolled.metrics._iob2 import IOB2
from unrolled.planning._quality import drift, duplicates, missing, noise

__all__ = ["Facts", "measure"]

_COUNTED = 1_000_000  # values from which the labels are counted


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules know of a run.

    Attributes:
        form: the form of the target.
        rows, steps: of the training split; ``steps`` counts those of all rows.
        longest, typical: the steps of the longest row, and of the median one.
        timed: whether the inputs have steps.
        symbols: the largest number of symbols in an input over time; 0 if there is none.
        numbers: how many numbers each step has.
        inputs: the number of input columns.
        beside: the number of side sequences, such as a title beside a body.
        classes: the number of labels, symbols or items of the target; 0 for numbers.
        imbalance: how often the commonest label occurs for each time that the rarest does; 1 without labels.
        switches: whether every number of the target is 0 or 1, such as the keys of a piano.
        items: whether the target is the next item of a list.
        tags: whether the labels are IOB2 tags.
        writes: whether the answer is a sequence with its own length.
        horizon: the steps to forecast; 0 for other forms.
        season: the steps of a season; 1 if there is none.
        held_out: the number of answers in the validation split; 0 without one.
        duplicates, missing: the share of rows that are like an earlier one, and of numbers that are missing.
        drift: how far the end of a series to forecast lies from what is before it, in standard deviations.
        noise: what chance does to a score on the validation answers (see `planning._quality.noise`).
    """

    form: str
    rows: int
    steps: int
    longest: int
    typical: int
    timed: bool
    symbols: int = 0
    numbers: int = 0
    inputs: int = 1
    beside: int = 0
    classes: int = 0
    imbalance: float = 1.0
    switches: bool = False
    items: bool = False
    tags: bool = False
    writes: bool = False
    horizon: int = 0
    season: int = 1
    held_out: int = 0
    duplicates: float = 0.0
    missing: float = 0.0
    drift: float = 0.0
    noise: float = 0.0

    def say(self) -> Iterator[str]:
        """The facts in lines."""
        long = f", {self.typical:,} to {self.longest:,} steps each" if self.timed else ""
        yield f"facts: {self.rows:,} row{'' if self.rows == 1 else 's'}{long}; {self.held_out:,} answers to validate on"
        parts = [f"{self.symbols:,} symbols"] if self.symbols else []
        parts += [f"{counted(self.numbers, 'number')} a step"] if self.numbers else []
        parts += [f"{self.classes:,} classes"] if self.classes else []
        parts += [f"the commonest {self.imbalance:.3g} times as often as the rarest"] if self.imbalance > 1 else []
        parts += [f"season {self.season}"] if self.season > 1 else []
        if parts:
            yield f"facts: {', '.join(parts)}"
        parts = [f"{self.duplicates:.1%} of the rows come twice"] if self.duplicates else []
        parts += [f"{self.missing:.1%} of the numbers are missing"] if self.missing else []
        parts += [f"the last tenth lies {self.drift:.2g} standard deviations from what is before it"] * (self.drift > 0)
        parts += [f"chance moves a score on the validation data by {self.noise:.1%}"] if self.noise else []
        if parts:
            yield f"facts: {', '.join(parts)}"


def measure(train: Examples, held_out: int, season: int = 1) -> Facts:
    """The facts of a run.

    Args:
        train: the training split.
        held_out: the number of answers in the validation split.
        season: the steps of a season.

    Cost: one pass over the lengths, and over at most a million targets.
    """
    steps = train.steps()
    timed = [spec for spec in train.specs.values() if not spec.side and spec.time]
    beside = {spec.side.axis for spec in train.specs.values() if spec.side is not None}
    target = train.target_spec
    classes = target.size if isinstance(target, Discrete) else 0
    writes = train.form.writes or train.form.own_length
    counts = _label_counts(train) if classes and train.form.whole and not writes else np.ones(0)
    share = float(counts.max() / counts.sum()) if len(counts) else 0.0
    return Facts(
        form=train.form.name,
        rows=len(steps),
        steps=int(steps.sum()),
        longest=int(steps.max(initial=0)),
        typical=int(np.median(steps)) if len(steps) else 0,
        timed=bool(timed),
        symbols=max((spec.size for spec in timed if isinstance(spec, Discrete)), default=0),
        numbers=sum(spec.width for spec in timed if isinstance(spec, Continuous)),
        inputs=len(train.specs),
        beside=len(beside),
        classes=classes,
        imbalance=float(counts.max() / counts.min()) if len(counts) else 1.0,
        switches=_switches(train),
        items=train.first_item is not None,
        tags=IOB2.of(train.labels) is not None,
        writes=writes,
        horizon=train.horizon,
        season=season,
        held_out=held_out,
        duplicates=duplicates(train),
        missing=missing(train),
        drift=drift(train),
        noise=noise(held_out, share, train.horizon),
    )


def _label_counts(train: Examples) -> np.ndarray:
    """How often each label comes that comes at all."""
    assert train.target is not None
    values = train.target.values[:_COUNTED]
    return np.asarray(np.unique(values[values != MISSING], return_counts=True)[1])


def _switches(train: Examples) -> bool:
    if not isinstance(train.target_spec, Continuous) or train.target is None or not train.form.predicts_next:
        return False
    values = train.target.values[:_COUNTED]
    return bool(((values == 0) | (values == 1) | np.isnan(values)).all())
