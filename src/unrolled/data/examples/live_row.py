"""Encode live rows step by step, as users push them, exactly as the rows of a file are encoded.

Axes: N values, S steps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any
from zlib import crc32

import numpy as np

from unrolled.batch import Continuous, Spelled, lengths_of, letters_of
from unrolled.data.encodings.encoding import Where
from unrolled.data.encodings.facets import Text, Together
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.spelled import spells
from unrolled.data.forms.form import repeats_of
from unrolled.data.tables.in_memory import to_table
from unrolled.data.tables.sets import parts_of
from unrolled.errors import DataError, UnrolledError, lacking

__all__ = ["LiveRow", "LiveSteps"]

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class LiveSteps:
    """The steps of N values, each of another row.

    Attributes:
        inputs: column name -> (S,) int64 or (S, W) float32, the steps of all values end to end; letters are (S, L).
        item: (S,) int64, ascending: the value that each step belongs to.
        after: the memory for the next value, of each value that has any.
        refused: why a value has no steps.
        apart: the steps of values that bring side sequences, as `LiveRow.encode` returns them; not among ``inputs``.
    """

    inputs: dict[str, np.ndarray]
    item: np.ndarray
    after: dict[int, dict[str, list[float]]]
    refused: dict[int, UnrolledError]
    apart: dict[int, list[dict[str, np.ndarray]]]

    def only(self, kept: np.ndarray) -> LiveSteps:
        """Without the steps of the values that are not ``kept`` (N,)."""
        of = kept[self.item]
        apart = {item: steps for item, steps in self.apart.items() if kept[item]}
        return replace(
            self, inputs={name: value[of] for name, value in self.inputs.items()}, item=self.item[of], apart=apart
        )


@dataclass(frozen=True)
class LiveRow:
    """A `Preprocessor` for one step at a time.

    It has no state: the memory of earlier steps is passed in and returned.

    Attributes:
        coder: the encodings.
        file: what errors call the stream.
        sets: column -> the separator of the labels in its cells, where these are texts.
    """

    coder: Preprocessor
    file: str = "the stream"
    sets: Mapping[str, str] = field(default_factory=dict)

    def opening(self) -> list[dict[str, np.ndarray]]:
        """The steps that every row starts with: ``<begin>`` for texts that the model continues, otherwise none."""
        answer = self.coder.answer
        if not isinstance(answer, Text) or not self.coder.framed:
            return []
        return [{self.coder.target: np.asarray(answer.begin, np.int64)}]

    def encode(
        self, value: Any, before: Mapping[str, Sequence[float]] = MappingProxyType({})
    ) -> tuple[list[dict[str, np.ndarray]], dict[str, list[float]]]:
        """Encode a value: its steps, column name -> () int64 or (W,) float32, and ``before`` for the next value.

        The letters of a word are (L,) int64. The first step of a row holds its side sequences too, whole, as in a batch
        without its first axis.

        Args:
            value: {column: value}; with a single input column, its value is enough. A text of several tokens gives
                several steps. Side sequences are given with the first value of a row; later ones do not need them.
            before: column name -> the memory of its encoding; empty at the start of a row.

        Raises:
            DataError: a column is missing, its value does not fit, or a side sequence changes within a row.
        """
        coder = self.coder
        after: dict[str, list[float]] = {}
        row = value if isinstance(value, dict) else self._named(value)
        beside: dict[str, np.ndarray] = {}
        for name in coder.sides:
            found, after[name] = self._beside(row, name, before.get(name, ()))
            beside |= found
        main = {name: encoding for name, encoding in coder.inputs.items() if name not in coder.sides}
        timed = sum(spec.time and not isinstance(spec, Spelled) for spec in coder.specs.values())
        steps: dict[str, np.ndarray] = {}
        for name, encoding in main.items():
            if name == coder.target and coder.joined and name not in row:
                cell: Any = [self._cell(row, channel) for channel in coder.joined]
            else:
                cell = self._cell(row, name)
            try:
                values, kept = encoding.encode_live(cell, before.get(name, ()), Where(self.file, name))
            except (UnicodeError, OverflowError):  # such as half a surrogate pair
                raise DataError(f"{str(cell)[:40]!r} cannot be read", file=self.file, column=name) from None
            if not len(values):
                raise DataError("is empty, so it has no steps", file=self.file, column=name)
            if len(values) > 1 and timed > 1:
                message = f"{str(cell)[:40]!r} has {len(values)} steps, but the other columns have one"
                raise DataError(message, file=self.file, column=name)
            steps[name] = values if isinstance(encoding.spec, Continuous) else values.astype(np.int64)
            if (speller := spells(encoding)) is not None:
                steps[letters_of(name)] = speller.spell_live(cell).astype(np.int64)
            after |= {name: kept} if kept else {}
        longest = max(map(len, steps.values()))  # a column without time is repeated at every step
        repeated = [values if len(values) == longest else values.repeat(longest, 0) for values in steps.values()]
        every = [step for step in zip(*repeated, strict=True) for _ in range(repeats_of(coder.form))]
        whole = [dict(zip(steps, step, strict=True)) for step in every]
        whole[0] |= beside
        return whole, after

    @property
    def remembers(self) -> bool:
        """Whether the steps of a value may depend on the value before."""
        every = self.coder.inputs.values()
        return bool(self.coder.sides) or not all(isinstance(one, Together) and not one.remembers for one in every)

    def encode_many(self, values: Sequence[Any], befores: Sequence[Mapping[str, Sequence[float]]]) -> LiveSteps:
        """`encode` of N values of different rows: those of one plain step together, the others one by one.

        A value that `encode` would refuse has no steps and harms no other.
        """
        inputs, plain = self._together(values)
        if plain.all():
            return LiveSteps(inputs, np.arange(len(values)), {}, {}, {})
        others: dict[int, list[dict[str, np.ndarray]]] = {}
        after: dict[int, dict[str, list[float]]] = {}
        refused: dict[int, UnrolledError] = {}
        for item in np.flatnonzero(~plain).tolist():
            try:
                others[item], memory = self.encode(values[item], befores[item])
                if memory:
                    after[item] = memory
            except UnrolledError as error:
                refused[item] = error
        brought = {lengths_of(side.axis) for side in self.coder.sides.values()}
        apart = {item: steps for item, steps in others.items() if brought & steps[0].keys()}
        rest = [(item, step) for item, steps in others.items() if item not in apart for step in steps]
        quick = np.flatnonzero(plain)
        if not rest:
            kept = inputs if len(quick) == len(values) else {name: value[quick] for name, value in inputs.items()}
            return LiveSteps(kept, quick, after, refused, apart)
        every = np.concatenate([quick, [one for one, _ in rest]])
        order = np.argsort(every, kind="stable")
        joined = {}
        for name in rest[0][1]:
            later = np.stack([step[name] for _, step in rest])
            joined[name] = (np.concatenate([inputs[name][quick], later]) if len(quick) else later)[order]
        return LiveSteps(joined, every[order], after, refused, apart)

    def _together(self, values: Sequence[Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """One step of each value for which that is quickly found, and (N,) bool: for which it was."""
        count = len(values)
        if not self._quick:
            return {}, np.zeros(count, bool)
        plain, inputs = np.ones(count, bool), {}
        for name, encoding in self._quick.items():
            cells = self._cells(values, name)
            found, known = encoding.encode_together(cells)
            inputs[name] = found if found.dtype.kind == "f" else found.astype(np.int64)
            plain &= known
        return inputs, plain

    @cached_property
    def _quick(self) -> dict[str, Together]:
        """The encodings of all columns, where those of plain values need nothing else; otherwise none."""
        every = self.coder.inputs.items()
        quick: dict[str, Together] = {}
        quick.update((name, one) for name, one in every if isinstance(one, Together) and not one.remembers)
        spelled = any(spells(one) is not None for _, one in every)
        if len(quick) < len(every) or self.coder.sides or spelled or repeats_of(self.coder.form) > 1:
            return {}
        return quick

    def _cells(self, values: Sequence[Any], name: str) -> list[Any]:
        """The cell of each value; of those that have another form, something that no encoding takes."""
        coder = self.coder
        if name != coder.target or not coder.joined:
            return self._column(values, name)
        if {*map(type, values)} == {dict}:
            with contextlib.suppress(KeyError):
                return [value[name] for value in values]
        whole = [isinstance(value, dict) and name in value for value in values]
        parts = zip(*(self._column(values, channel) for channel in coder.joined), strict=True)
        every = zip(whole, values, parts, strict=True)
        return [value[name] if given else list(cells) for given, value, cells in every]

    def _column(self, values: Sequence[Any], name: str) -> list[Any]:
        names = list(self.coder.joined or self.coder.inputs)
        if {*map(type, values)} == {dict}:
            with contextlib.suppress(KeyError):
                return [value[name] for value in values]
            return [value.get(name, _ABSENT) for value in values]
        if name not in names:
            return [value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT for value in values]
        place, count = names.index(name), len(names)

        def cell(value: Any) -> Any:
            if isinstance(value, dict):
                return value.get(name, _ABSENT)
            if count == 1:
                return value
            return value[place] if isinstance(value, list | tuple) and len(value) == count else _ABSENT

        return list(map(cell, values))

    def _beside(
        self, row: dict[str, Any], name: str, before: Sequence[float]
    ) -> tuple[dict[str, np.ndarray], list[float]]:
        """A whole side sequence, (S,) or (S, W), and its length, or nothing if a step before had it; and its mark."""
        if before and row.get(name) is None:
            return {}, list(before)
        cell, where = self._cell(row, name), Where(self.file, name)
        if name in self.sets and isinstance(cell, str):
            cell = parts_of(cell, self.sets[name])
        mark = [float(crc32(repr(cell).encode()))]
        if before and mark != list(before):
            hint = "use one stream for each sequence"
            raise DataError(
                f"{str(cell)[:40]!r} differs from that of the first step", file=self.file, column=name, hint=hint
            )
        if before:
            return {}, mark
        encoding, array = self.coder.inputs[name], to_table({name: [cell]}).column(name)
        values = encoding.encode(array, where).values
        values = values if isinstance(encoding.spec, Continuous) else values.astype(np.int64)
        found = {name: values, lengths_of(self.coder.sides[name].axis): np.asarray(len(values), np.int64)}
        if (speller := spells(encoding)) is not None:
            found[letters_of(name)] = speller.spell(array, where).values.astype(np.int64)
        return found, mark

    def _named(self, value: Any) -> dict[str, Any]:
        """A value without column names, as a row."""
        names = list(self.coder.joined or self.coder.inputs)
        if len(names) == 1:
            return {names[0]: value}
        if isinstance(value, list | tuple) and len(value) == len(names):
            return dict(zip(names, value, strict=True))
        raise DataError(f"a step must be {{column: value}} with the columns {', '.join(names)}", file=self.file)

    def _cell(self, row: dict[str, Any], name: str) -> Any:
        if name not in row:
            raise lacking(name, f"this step of {self.file}", row)
        return row[name]
