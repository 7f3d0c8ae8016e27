"""Categories: labels from a fixed set, one per row, one per step, or several per row.

Labels are texts, integers, booleans or floats, and are decoded to the same values. In an input, labels that were not in
the training data have id 0. A target (`Role.closed`) has no such id; its ids are the positions of the sorted labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field

from unrolled.batch import Discrete
from unrolled.data.encodings._cells import Fail, live, open_cells, plain, smallest_dtype
from unrolled.data.encodings._label_cells import as_text, distinct, find_number, has_labels, not_finite
from unrolled.data.encodings._labels import looks_like_labels
from unrolled.data.encodings._missing import MissingOptions
from unrolled.data.encodings._stored import Stored, load
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where, has_time
from unrolled.data.encodings.facets import Label
from unrolled.errors import DataError, ModelError, counted, did_you_mean

__all__ = ["UNKNOWN", "Category"]

UNKNOWN = "<unknown>"

_NONE, _NAN = -1, -2  # markers for values without an id
_NAMED = 20  # the most labels that an error lists


class _Stored(Stored):
    kind: Literal["category"]
    labels: list[bool] | list[int] | list[float] | list[str]
    time: bool
    closed: bool
    missing: bool
    impute: bool
    appended: int = Field(0, ge=0)


_PLAIN = {str, bool, int, float}


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A column of labels.

    Attributes:
        labels: the known labels, sorted but for those that were appended; ``labels[k]`` has the id ``first + k``.
        time: a cell is a list of labels, one per step or an unordered set.
        closed: the column is a target: it has no ``<unknown>`` and no missing values.
        missing: the training data had empty cells, so that they have their own id; otherwise they are ``<unknown>``.
        impute: NaN counts as an empty cell; otherwise it is an error.
        ids: the id of each label and of its text, so that the text "1" of a CSV file is the label 1.
        appended: how many of the labels, the last ones, came after the first training.

    Example:
        >>> column = pa.chunked_array([["no", "yes", "no"]])
        >>> category = Category.fit(column, Category.Options(), Role(closed=True), Where("memory", "answer"))
        >>> category.encode(column, Where("memory", "answer")).values
        array([0, 1, 0], dtype=uint8)
    """

    class Options(MissingOptions):
        """The option for labels."""

    kind: ClassVar[str] = "category"
    traits: ClassVar[Traits] = Traits(labels=True)
    rule: ClassVar[str] = (
        "the id of the label: 0 is unknown, 1 an empty cell where training had some, then the labels in their order"
    )

    labels: list[Label]
    time: bool
    closed: bool
    missing: bool
    impute: bool
    ids: Mapping[Label, int] = field(repr=False)
    appended: int = 0

    @classmethod
    def of(
        cls, labels: list[Label], *, time: bool, closed: bool, missing: bool, impute: bool, appended: int = 0
    ) -> Self:
        """The encoding for known labels.

        Args:
            labels: distinct, and sorted but for the appended ones.
            time, closed, missing, impute, appended: see `Category`.
        """
        first = _first(closed, missing)
        ids: dict[Label, int] = {}
        for place, label in enumerate(labels):
            ids.setdefault(as_text(label), first + place)
        ids |= {label: first + place for place, label in enumerate(labels)}
        return cls(labels, time, closed, missing, impute, ids, appended)

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """A high score for booleans, Arrow dictionaries, and texts or integers with few distinct values."""
        value = array.type.value_type if has_time(array.type) else array.type
        if pa.types.is_boolean(value):
            return 100
        if pa.types.is_dictionary(value):
            return 95
        if pa.types.is_null(value):
            return 5
        if not has_labels(value):
            return 0
        return 80 if looks_like_labels(plain(array)) else 10

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Category.Options, role: Role, where: Where) -> Category:
        """Learn the labels.

        Raises:
            DataError: the column's type cannot hold labels, a value is NaN or infinite, or a target has no labels.
        """
        found = cls.statistics(options, role, where)
        found.add(array, where)
        return found.fitted()

    @classmethod
    def statistics(cls, options: Category.Options, role: Role, where: Where, *, time: bool = False) -> LabelStatistics:
        """The labels, to be collected part by part."""
        return LabelStatistics(options.missing == "impute", role, where)

    @property
    def first(self) -> int:
        """The id of the first label; smaller ids are ``<unknown>`` and empty cells."""
        return _first(self.closed, self.missing)

    @property
    def spec(self) -> Discrete:
        """The number of ids."""
        return Discrete(self.first + len(self.labels), self.time, appended=self.appended)

    def extended(self, array: pa.ChunkedArray, options: Category.Options, where: Where) -> Category:
        """The same, with the labels of a column that are not known yet appended in their order.

        Raises:
            DataError: the column's type cannot hold labels, or its new labels are of another type than the known ones.
        """
        found = {label for label in distinct(open_cells(array, where, self.time)) if self._is_new(label)}
        texts = all(isinstance(label, str) for label in self.labels)
        new = sorted({as_text(label) for label in found} if texts else found)
        types = {*map(type, self.labels)}
        if (other := next((label for label in new if type(label) not in types), None)) is not None and self.labels:
            known = next(iter(types)).__name__
            raise DataError(
                f"the new label {as_text(other)!r} is of type {type(other).__name__}, but the known labels are of "
                f"type {known}",
                file=where.file,
                column=where.column,
                hint="write the new labels as the old ones are written",
            )
        if not new:
            return self
        return self.of(
            [*self.labels, *new],
            time=self.time,
            closed=self.closed,
            missing=self.missing,
            impute=self.impute,
            appended=self.appended + len(new),
        )

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N,) unsigned integers.

        Raises:
            DataError: a target has an unknown label or an empty cell, or a value is NaN.
        """
        cells = open_cells(array, where, self.time)
        chunks = cells.flat.dictionary_encode().unify_dictionaries().chunks
        labels = chunks[0].dictionary.to_pylist() if chunks else []
        table = np.array([*map(self._id, labels), self._id(None)], np.int64)
        places = pa.chunked_array([chunk.indices for chunk in chunks], pa.int32()).fill_null(len(labels)).to_numpy()
        ids = table[places]
        if ids.min(initial=0) < 0:
            index = int(np.argmax(ids < 0))
            raise self._refuse([*labels, None][places[index]], cells.error, index)
        return Encoded(ids.astype(smallest_dtype(self.spec.size)), cells.offsets)

    def decode(self, values: np.ndarray) -> Any:
        """A label, or with time a list of them; ``None`` for an empty cell and ``<unknown>`` for an unknown label."""
        answers = [self._label(id_) for id_ in np.ravel(values).tolist()]
        return answers if self.time else answers[0]

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1,), the id of one label, and an empty memory.

        Raises:
            DataError: as for `encode`, or the value is a list.
        """
        if not isinstance(value, str | bool | int | float | np.generic | None):
            message = f"expected one label, got {str(value)[:40]!r}"
            raise DataError(message, file=where.file, column=where.column)
        label: Label | None = value.item() if isinstance(value, np.generic) else value
        id_ = self._id(label)
        if id_ < 0:
            raise self._refuse(label, live(where), 0)
        return np.array([id_], smallest_dtype(self.spec.size)), []

    @property
    def remembers(self) -> bool:
        """No: a label does not depend on the one before."""
        return False

    def encode_together(self, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """(N,), the ids of N labels, and (N,) bool: which of them were seen in training."""
        find = self.ids.get
        found = [find(value) if type(value) in _PLAIN else None for value in values]
        known = np.array([id_ is not None for id_ in found], bool)
        return np.array([id_ or 0 for id_ in found], smallest_dtype(self.spec.size)), known

    def to_config(self) -> dict[str, Any]:
        """The labels, as JSON."""
        return {
            "kind": self.kind,
            "labels": self.labels,
            "time": self.time,
            "closed": self.closed,
            "missing": self.missing,
            "impute": self.impute,
            **({"appended": self.appended} if self.appended else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        stored = load(_Stored, config, cls.kind)
        labels: list[Label] = list(stored.labels)
        first = labels[: max(len(labels) - stored.appended, 0)]
        ordered = first == sorted(set(first)) and len({*labels}) == len(labels) >= stored.appended
        if not ordered or (stored.closed and (stored.missing or not labels)):
            raise ModelError("the category encoding of this model cannot be read: its labels contradict each other")
        closed, missing, impute, appended = stored.closed, stored.missing, stored.impute, stored.appended
        return cls.of(labels, time=stored.time, closed=closed, missing=missing, impute=impute, appended=appended)

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: how many labels are unknown, or ``""``."""
        unknown = 0 if self.closed else int(np.count_nonzero(encoded.values == 0))
        return f"{unknown} of {len(encoded.values)} labels were not seen in training" if unknown else ""

    def report(self) -> str:
        """A one-line summary."""
        return f"category, {counted(len(self.labels), 'label')}" + (
            ", and one for missing values" if self.missing else ""
        )

    def _id(self, value: Label | None) -> int:
        """The id of a value; negative if it has none."""
        if isinstance(value, float) and math.isnan(value):
            if not self.impute:
                return _NAN
            value = None
        if value is None:
            return _NONE if self.closed else int(self.missing)
        known = self.ids.get(value)
        if known is None:
            known = self.ids.get(as_text(value))
        return known if known is not None else _NONE if self.closed else 0

    def _is_new(self, label: Label) -> bool:
        finite = not isinstance(label, float) or math.isfinite(label)
        return finite and label not in self.ids and as_text(label) not in self.ids

    def _label(self, id_: int) -> Label | None:
        if id_ >= self.first:
            return self.labels[id_ - self.first]
        return UNKNOWN if id_ == 0 else None

    def _refuse(self, value: Label | None, fail: Fail, index: int) -> DataError:
        if isinstance(value, float) and not math.isfinite(value):
            return not_finite(value, fail, index)
        if value is None:
            return fail(index, "the target is empty", "fill it in, or leave the row out")
        texts = [as_text(label) for label in self.labels]
        more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
        known = did_you_mean(as_text(value), texts[:_NAMED]).strip().rstrip(".") + more
        return fail(index, f"the label {as_text(value)!r} was not seen in training", known)


def _first(closed: bool, missing: bool) -> int:
    """The id of the first label, after the ids of ``<unknown>`` and of empty cells."""
    return 0 if closed else 1 + missing


class LabelStatistics:
    """Collects the labels of the training split part by part."""

    def __init__(self, impute: bool, role: Role, where: Where) -> None:
        self._impute, self._role, self._where = impute, role, where
        self._labels: set[Label] = set()
        self._time = self._missing = False

    def add(self, array: pa.ChunkedArray, where: Where) -> None:
        """Add the next part.

        Raises:
            DataError: the column's type cannot hold labels, or a value is NaN or infinite.
        """
        self._time = has_time(array.type)
        cells = open_cells(array, where, self._time)
        self._missing |= cells.flat.null_count > 0
        for label in distinct(cells):
            if isinstance(label, float) and not math.isfinite(label):
                if not (self._impute and math.isnan(label)):
                    raise not_finite(label, cells.error, find_number(cells, label))
                self._missing = True
            else:
                self._labels.add(label)

    def fitted(self) -> Category:
        """The encoding.

        Raises:
            DataError: a target has no labels.
        """
        closed, where = self._role.closed, self._where
        if closed and not self._labels:
            raise DataError("has no labels", file=where.file, column=where.column, hint="choose another target")
        labels = sorted(self._labels)
        missing = self._missing and not closed
        return Category.of(labels, time=self._time, closed=closed, missing=missing, impute=self._impute)


MEMBER = Category
