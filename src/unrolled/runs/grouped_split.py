"""How the sequences of a large table are divided, part by part, each as if all of them were there.

Whole sequences are drawn by their keys, so that none changes sides when others are added. Where the future is
predicted, the end of each is held out; so it is of fewer than ten sequences, where whole ones would be too few.

Axes: N sequences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from unrolled.data.encodings.encoding import has_time
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.forecast_split import too_short, unknown_at_the_end
from unrolled.data.tables.keyed_split import Ends, drawn
from unrolled.data.tables.keys import key_hashes
from unrolled.data.tables.sequences import Sequences
from unrolled.data.tables.split import hold_out_last, list_lengths
from unrolled.errors import DataError, Origin, counted, named
from unrolled.runs.config import RunConfig
from unrolled.runs.splits import LastStep, Share, check_long_enough, default_share, parse, without_validation

__all__ = ["Counts", "Sides"]

_FEW = 10  # with fewer sequences than this, the end of each is held out instead of whole ones
_VALID, _TEST = 0, 1  # a sequence is drawn for one split whatever it is drawn for in another
_LOWEST = 16  # sequences that are remembered, so that one is held out however few there are


@dataclass(slots=True)
class Counts:
    """What the division of sequences depends on, counted part by part.

    Attributes:
        by: the column of their keys.
        roles: which column plays which part.
        seed: which choice.
        rows, steps, longest: the sequences, the steps of all of them, and of the longest.
        lengths: of series to forecast: known steps -> how many have so many.
        lowest: (n, 2) the draws, for validation and for testing, of those that would be held out first.
    """

    by: str
    roles: Roles
    seed: int
    rows: int = 0
    steps: int = 0
    longest: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    lowest: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    def add(self, part: Sequences) -> None:
        """Count the sequences of a part."""
        own = _steps(part, self.roles)
        self.rows, self.steps = self.rows + len(part), self.steps + int(own.sum())
        self.longest = max(self.longest, int(own.max(initial=0)))
        if self.roles.form.horizon:
            known = own - np.minimum(unknown_at_the_end(part, _targets(self.roles)), own)
            self.lengths.update(
                dict(zip(*(each.tolist() for each in np.unique(known, return_counts=True)), strict=True))
            )
        keys = key_hashes(part.table.column(self.by))
        draws = np.stack([drawn(self.seed, _VALID, keys), drawn(self.seed, _TEST, keys)], 1)
        draws = np.concatenate([self.lowest, draws])
        self.lowest = draws[np.unique(np.argsort(draws, 0, kind="stable")[:_LOWEST])]

    def threshold(self, use: int, share: float, above: float = 0.0) -> float:
        """Below which a draw is held out: ``share``, or what holds out one sequence; it is not drawn for a test."""
        draws = self.lowest[self.lowest[:, _TEST] >= above]
        return max(share, float(np.nextafter(draws[:, use].min(initial=0.0 if not len(draws) else 1.0), 1.0)))


_Divided = tuple[Sequences, Sequences | None]
_Rule = Callable[[Sequences], _Divided]  # what is left of a part, and what is held out of it


@dataclass(frozen=True, slots=True)
class Sides:
    """Divides parts.

    Attributes:
        rules: ``test`` and ``valid`` -> how they are held out, in this order; those that are not are missing.
        said: the same in words.
    """

    rules: Mapping[str, _Rule]
    said: Mapping[str, str]

    @classmethod
    def of(cls, config: RunConfig, counts: Counts, origin: Origin) -> Sides:
        """Those that the user asked for, or by default those of `unrolled.runs.splits.split_up`.

        Args:
            config: of the run.
            counts: of all sequences.
            origin: how errors name the data.

        Raises:
            DataError: there is too little data to divide.
            UsageError: nothing is held out, and nothing would end training.
        """
        roles, data = counts.roles, config.data
        if roles.form.horizon:
            check_long_enough(counts.longest, counts.rows, roles, origin)
        rules: dict[str, _Rule] = {}
        said: dict[str, str] = {}
        asked = {"test": parse(data.test), "valid": parse(data.valid)}
        if data.valid is None:
            asked["valid"] = default_share(roles, counts.rows, counts.steps, counts.longest)
        test = asked["test"].share if isinstance(asked["test"], Share) else 0.0
        for name, how in asked.items():
            if isinstance(how, LastStep):
                how.check(name, config, roles)
                rules[name], said[name] = partial(_last, counts), f"{name}: the last step of each sequence"
            elif isinstance(how, Share) and how.share:
                rules[name], said[name] = _of_share(name, how.share, counts, origin, test)
        if "valid" not in rules:
            said["valid"] = without_validation(config)
        return cls(rules, said)

    def divide(self, part: Sequences) -> dict[str, Sequences | None]:
        """The name of each split -> its sequences of a part; ``None``: none."""
        found: dict[str, Sequences | None] = {}
        for name, rule in self.rules.items():
            part, found[name] = rule(part)
        return {"train": part, **found}

    def notes(self, rows: Mapping[str, int]) -> list[str]:
        """Lines about how many ``rows`` each split has."""
        total = sum(rows.values())
        return [line.format(held=rows.get(name, 0), rows=total) for name, line in self.said.items()]


def _of_share(name: str, share: float, counts: Counts, origin: Origin, test: float) -> tuple[_Rule, str]:
    form, use = counts.roles.form, _VALID if name == "valid" else _TEST
    if form.horizon:
        ends = Ends.of(counts.lengths, share, form.horizon, _targets(counts.roles))
        if not ends.some:
            raise too_short(origin, max(counts.lengths, default=0), form.horizon)
        some = "each" if ends.some == 1 else f"{100 * ends.some:.2g} % of the"
        line = f"{name}: the last {100 * share:.2g} % of {some} series, {counted(form.horizon, 'step')} at least"
        return partial(_ends, ends, counts, use), line
    if not form.whole and counts.rows < (_FEW if form.continues else 2):
        return partial(_end_of_few, counts, share), f"{name}: the last {100 * share:.2g} % of each sequence"
    if counts.rows < 2:
        message = "has only one sequence, so none can be held out"
        raise DataError(message, file=origin, hint=f"give more sequences, or {named(name)} 0")
    above = counts.threshold(_TEST, test) if use == _VALID and test else 0.0
    line = f"{name}: {{held}} of {{rows}} sequences, drawn by their keys"
    return partial(_whole, counts.threshold(use, share, above), counts, use), line


def _whole(threshold: float, counts: Counts, use: int, part: Sequences) -> _Divided:
    held = _draws(counts, use, part) < threshold
    return part.take(np.flatnonzero(~held)), part.take(np.flatnonzero(held))


def _ends(ends: Ends, counts: Counts, use: int, part: Sequences) -> _Divided:
    return ends.apply(part, _steps(part, counts.roles), _draws(counts, use, part))


def _end_of_few(counts: Counts, share: float, part: Sequences) -> _Divided:
    if (_steps(part, counts.roles) < 2).all():
        return part, None
    left, held, _ = counts.roles.form.hold_out(part, share, counts.seed, counts.roles.target)
    return left, held


def _last(counts: Counts, part: Sequences) -> _Divided:
    return hold_out_last(part) if (_steps(part, counts.roles) > 2).any() else (part, None)


def _draws(counts: Counts, use: int, part: Sequences) -> np.ndarray:
    return drawn(counts.seed, use, key_hashes(part.table.column(counts.by)))


def _targets(roles: Roles) -> tuple[str, ...]:
    return roles.joined or (roles.target,)


def _steps(part: Sequences, roles: Roles) -> np.ndarray:
    """(N,) int64: the steps of the target of each sequence."""
    column = part.table.column(_targets(roles)[0])
    return list_lengths(column) if has_time(column.type) else np.ones(len(part), np.int64)
