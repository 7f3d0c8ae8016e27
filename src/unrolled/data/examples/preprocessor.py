"""The preprocessor: the encoding of every column, fitted on the training split and saved with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from unrolled.batch import Continuous, Side, Spec, letters_of
from unrolled.data.encodings.encoding import ENCODINGS, Encoded, Encoding, Role, Where
from unrolled.data.encodings.facets import Items, Labels, Letters, Numbers, Pitches, Reusable, Text
from unrolled.data.examples.examples import Examples, Units
from unrolled.data.examples.known_future import read_early, steps_of
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.roles import Roles
from unrolled.data.examples.season_error import season_error
from unrolled.data.examples.shared_vocabulary import one_vocabulary
from unrolled.data.examples.side_sequences import side_sequences
from unrolled.data.examples.spelled import specs_of, spells
from unrolled.data.examples.stored_columns import read_columns, write_columns
from unrolled.data.forms.form import TargetForm, form_of, numbers_of, repeats_of
from unrolled.data.plans.strands import Strands
from unrolled.data.tables.agreement import check_lengths
from unrolled.data.tables.sequences import Sequences, merge
from unrolled.errors import ModelError, lacking
from unrolled.metrics.judged import Answers, Rows, Transcripts, Translations

__all__ = ["Preprocessor"]


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """The encodings of the input columns and of the target.

    Attributes:
        inputs: column name -> its encoding, in the order in which the network reads them.
        target: the target's column name.
        answer: the target's encoding; the input's own where the target is an input.
        form: how the target answers the inputs.
        joined: the numeric columns that become the channels of the target; empty where the target is one column.
        by_window: each window of a forecast is scaled by its own mean and deviation.
        ahead: the known covariates, read H steps early (see `unrolled.data.examples.known_future`).
        season: the steps of a season of a forecast's target; 0 where it is not known.
        naive: of a forecast of an earlier version, which has no season: for each channel the error of repeating it,
            over all series; 0 stands for NaN.
        sides: the input columns that belong to a side sequence (see `unrolled.data.examples.side_sequences`).
        learned, curves: numbers, and rows of numbers, that the task took from the data, by name.
    """

    inputs: dict[str, Encoding]
    target: str
    answer: Encoding
    form: TargetForm
    joined: tuple[str, ...] = ()
    by_window: bool = False
    ahead: tuple[str, ...] = ()
    season: int = 0
    sides: dict[str, Side] = field(default_factory=dict)
    naive: tuple[float, ...] = ()
    learned: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        train: Sequences,
        roles: Roles,
        preparation: Preparation,
        known: Mapping[str, Encoding] = MappingProxyType({}),
    ) -> Preprocessor:
        """Learn every encoding from the training split only (C10).

        Args:
            train: the training split.
            roles: which column plays which part.
            preparation: how the columns are encoded.
            known: encodings of inputs that were learned earlier, for example by a pretrained model.
        """
        target, form = roles.target, roles.form
        kinds = {**train.kinds, **roles.kinds}
        fitted: dict[str, Encoding] = {}
        for name in roles.inputs:
            if name == target and roles.joined:
                table = merge(train, roles.joined, target)
                role = Role(channels=roles.joined)
                fitted[name] = _fit(table, name, table.kinds[target], preparation, role)
                continue
            role = preparation.role_of(name, roles)
            encoding = known.get(name) or _fit(train, name, kinds[name], preparation, role)
            if isinstance(encoding, Reusable):
                encoding = encoding.reused(preparation.of(kinds[name]), role)
            fitted[name] = encoding
        if form.continues:
            coder = cls(fitted, target, fitted[target], form, roles.joined, preparation.by_window, roles.ahead)
            return coder.with_sides(train)
        role = preparation.role_of(target, roles)
        if preparation.shared:
            name, read, answer = one_vocabulary(train, roles, kinds, preparation, role)
            return cls({**fitted, name: read}, target, answer, form).with_sides(train)
        return cls(fitted, target, _fit(train, target, kinds[target], preparation, role), form).with_sides(train)

    def with_sides(self, train: Sequences) -> Preprocessor:
        """The same, knowing which of its columns are side sequences in the training split."""
        timed = {n: e for n, e in self.inputs.items() if e.spec.time and n not in self.ahead}
        answered = None if self.form.whole else (self.target, self.answer)
        joined = {self.target: self.joined[0]} if self.joined else {}
        return replace(self, sides=side_sequences(train, timed, answered, joined))

    def reports(self) -> list[str]:
        """One line about each column, for the user."""
        inputs = [f"input {name}: {self.report(name)}" for name in self.inputs]
        return inputs if self.continues else [*inputs, f"target {self.target}: {self.answer.report()}"]

    @property
    def continues(self) -> bool:
        """True where the target is one of the inputs: its future, or its hidden steps."""
        return self.form.continues

    @property
    def horizon(self) -> int:
        """H of a forecast, else 0."""
        return self.form.horizon

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the data that its inputs are made of."""
        joined = {self.target: self.joined} if self.joined else {}
        return tuple(column for name in self.inputs for column in joined.get(name, (name,)))

    @property
    def framed(self) -> bool:
        """True where the model continues a text that is framed by ``<begin>`` and ``<end>``."""
        return self.form.predicts_next and isinstance(self.answer, Text) and self.answer.framed

    @property
    def writes_texts(self) -> bool:
        """True where the answers are texts with their own length, such as translations."""
        return self.form.own_length and isinstance(self.answer.decode(np.zeros(0, np.int64)), str)

    def texts(self, written: Rows, right: Rows) -> Answers:
        """Written and right ids as judged texts; nothing where the answers are no texts."""
        if not self.writes_texts:
            return ()
        found, wanted = ([self.answer.decode(np.array(ids, np.int64)) for ids in rows] for rows in (written, right))
        return (Translations(found, wanted) if self.form.writes else Transcripts(found, wanted),)

    @property
    def first_item(self) -> int | None:
        """The id of the first item, when the task predicts the next item of a list; smaller ids are special tokens."""
        return self.answer.first if self.form.predicts_next and isinstance(self.answer, Items) else None

    def check_columns(self, part: Sequences, *, with_target: bool) -> None:
        """Refuse a ``part`` that lacks a column which is read or, where the target is asked for, that one.

        Raises:
            DataError: it does; names the column, and those that it has.
        """
        known = part.table.column_names
        answers = (self.joined or (self.target,)) if with_target and not self.continues else ()
        for does, names in (("reads", (*self.reads, *self.ahead)), ("answers", answers)):
            for name in names:
                if name not in known:
                    raise lacking(name, part.origin, known, does)

    def encode(self, part: Sequences, *, with_target: bool = True, cache: Path | None = None) -> Examples:
        """Encode one split as numbers.

        Args:
            part: the split; columns that the model does not know are ignored.
            with_target: False where the data has no target, as in prediction.
            cache: a folder for encodings too large for memory.

        Raises:
            DataError: a column is missing, two columns differ in length in a row, or a value cannot be encoded or
                predicted.
        """
        self.check_columns(part, with_target=with_target)
        encoded: dict[str, Encoded] = {}
        for name, encoding in self.inputs.items():
            encoded[name] = self._column(part, name, encoding, cache)
            if (speller := spells(encoding)) is not None:
                encoded[letters_of(name)] = speller.spell(*self._read(part, name), self._file(part, name, cache))
        target = self._target(part, encoded, cache) if with_target else None
        timed = {name: encoded[name].lengths() for name in self.inputs if encoded[name].offsets is not None}
        timed |= {name: steps_of(part.column(name)) for name in self.ahead}  # including the part that is not read
        if target is not None and not self.form.whole:
            timed[self.target] = target.lengths()
        for axis in dict.fromkeys(map(self._axis, timed)):
            check_lengths({name: steps for name, steps in timed.items() if self._axis(name) == axis}, part)
        if (times := repeats_of(self.form)) > 1:
            encoded |= {name: encoded[name].repeated(times) for name, spec in self.specs.items() if spec.time}
        examples = self.examples(encoded, part.first)
        if target is None:
            return examples
        target = self.form.prepare(target, self.answer, examples.steps(), part.where(self.target))
        return replace(examples, target=target, naive=self._season_error(target, examples))

    def examples(self, encoded: dict[str, Encoded], first: np.ndarray | None) -> Examples:
        """Examples of encoded inputs, without a target; ``first`` is the first step of each row that is scored."""
        pitches = {name: e.keys for name, e in self.inputs.items() if isinstance(e, Pitches) and e.keys is not None}
        return Examples(
            encoded,
            self.specs,
            None,
            self.answer_spec,
            self.form,
            first,
            labels=tuple(self.answer.labels) if isinstance(self.answer, Labels) else (),
            strands=self.strands,
            keys=pitches,
            own=self.target if self.continues else None,
            first_item=self.first_item,
            by_window=self.by_window,
            units=self.units,
            text_unit=self.answer.unit if isinstance(self.answer, Text) else "token",
        )

    def _axis(self, name: str) -> str | None:
        """The side sequence of a column; ``None``: the main one."""
        return self.sides[name].axis if name in self.sides else None

    @property
    def specs(self) -> dict[str, Spec]:
        """What a model knows about each input column, and about the letters of its words."""
        return specs_of(self.inputs, self.sides)

    def _target(self, part: Sequences, encoded: dict[str, Encoded], cache: Path | None) -> Encoded:
        """The encoded target, without the flags of missing values where it is an input."""
        if not self.continues:
            return self._column(part, self.target, self.answer, cache)
        own = encoded[self.target]
        return own.unflagged(len(self.answer.mean)) if isinstance(self.answer, Numbers) else own

    def _season_error(self, target: Encoded, examples: Examples) -> np.ndarray | None:
        if self.season:
            return season_error(target, self.season, examples.first)
        naive = np.array(self.naive)
        return np.tile(np.where(naive > 0, naive, np.nan), (len(target.lengths()), 1)) if len(naive) else None

    @property
    def strands(self) -> Strands | None:
        """What reverses and complements a row, where a row stands for both of its strands."""
        timed = tuple(name for name, spec in self.specs.items() if spec.time)
        letters = {name: e.complement for name, e in self.inputs.items() if name in timed and isinstance(e, Letters)}
        opposite = {name: ids for name, ids in letters.items() if ids is not None}
        return Strands(timed, opposite) if opposite else None

    @property
    def answer_spec(self) -> Any:
        """The target's `Spec`, without the channels that flag missing values, which are not predicted."""
        answer = self.answer
        return Continuous(len(answer.mean), answer.spec.time) if isinstance(answer, Numbers) else answer.spec

    @property
    def units(self) -> Units | None:
        """How the target's scaled numbers relate to the user's; ``None`` where the target is not numeric."""
        return Units(self.answer.mean, self.answer.std) if isinstance(self.answer, Numbers) else None

    def _column(self, part: Sequences, name: str, encoding: Encoding, cache: Path | None) -> Encoded:
        return encoding.encode(*self._read(part, name), self._file(part, name, cache))

    def _file(self, part: Sequences, name: str, cache: Path | None) -> Path | None:
        """A new file in ``cache`` for an encoding that is too large for memory."""
        if cache is None:
            return None
        cache.mkdir(parents=True, exist_ok=True)
        number, others = [*self.inputs, self.target].index(name), len(list(cache.iterdir()))
        return cache / f"{Path(part.origin.name).name}-{others}-{number}.ids"

    def _read(self, part: Sequences, name: str) -> tuple[pa.ChunkedArray, Where]:
        whole = merge(part, self.joined, name) if name == self.target and self.joined else part
        array, where = whole.column(name), part.where(name)
        if name in self.ahead:
            return read_early(array, self.horizon), replace(where, skipped=self.horizon)
        return array, where

    def notes(self, part: Sequences, examples: Examples) -> list[str]:
        """Notes for the user about an encoded part: how much of a column is unknown or missing."""
        own = {name: encoding for name, encoding in self.inputs.items() if not (self.joined and name == self.target)}
        said = {name: e.notes(self._read(part, name)[0], examples.inputs[name]) for name, e in own.items()}
        if isinstance(self.answer, Text) and not self.continues and examples.target is not None:
            said[self.target] = self.answer.notes(part.column(self.target), examples.target)
        return [f"{name}: {note}" for name, note in said.items() if note]

    def report(self, name: str) -> str:
        """One line for the user about the input ``name``."""
        early, side = f", known {self.horizon} steps ahead" if name in self.ahead else "", self.sides.get(name)
        apart = "" if side is None else ", read on its own" if side.ordered else ", a set"
        return self.inputs[name].report() + early + apart

    def to_files(self) -> dict[str, bytes]:
        """One JSON file for each column, and ``coder.json``, which lists them; the inverse of `from_files`.

        Beside the file of a column of byte-pair tokens is its ``…-tokenizer.json``, which only other programs read.
        """
        columns = dict(self.inputs) if self.continues else {**self.inputs, self.target: self.answer}
        index: dict[str, Any] = {
            "inputs": list(self.inputs),
            "target": self.target,
            "form": self.form.name,
            "horizon": self.horizon,
            "joined": self.joined,
            "by_window": self.by_window,
            "ahead": self.ahead,
            "naive": list(self.naive),
        }
        if self.season:
            index["season"] = self.season
        index |= {name: dict(of) for name, of in (("learned", self.learned), ("curves", self.curves)) if of}
        if numbers := {name: value for name, value in numbers_of(self.form).items() if name not in index}:
            index["numbers"] = numbers
        if self.sides:
            index["sides"] = {name: asdict(side) for name, side in self.sides.items()}
        return write_columns(index, columns)

    @classmethod
    def from_files(cls, files: dict[str, bytes]) -> Preprocessor:
        """Rebuild from `to_files`.

        Raises:
            ModelError: a file is missing, cannot be read, or names an unknown kind.
        """
        try:
            index, columns = read_columns(files)
            inputs = {name: columns[name] for name in index.inputs}
            answer, joined = columns[index.target], tuple(index.joined)
            others = inputs.keys() - {index.target}
            channels = len(answer.mean) if isinstance(answer, Numbers) else 0
            if not {*index.ahead, *index.sides} <= others or len(index.naive) not in (0, channels) or index.season < 0:
                raise ValueError("'ahead', 'sides', 'naive' or 'season' does not fit the columns")
            form = form_of(index.form, {"horizon": index.horizon, **index.numbers})
            sides = {name: Side(side.axis, side.ordered) for name, side in index.sides.items()}
            curves = {name: tuple(row) for name, row in index.curves.items()}
            given = (joined, index.by_window, tuple(index.ahead), index.season, sides, tuple(index.naive))
            return cls(inputs, index.target, answer, form, *given, index.learned, curves)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ModelError(f"the encodings of this model cannot be read: {error!r}") from None


def _fit(train: Sequences, name: str, kind: str, preparation: Preparation, role: Role) -> Encoding:
    member: type[Encoding] = ENCODINGS.get(kind)
    return member.fit(train.column(name), preparation.of(kind), role, train.where(name))
