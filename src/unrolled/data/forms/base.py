"""What a form of target is: how the target answers the inputs, with everything that depends on it.

One label for a row, a label for each step, the next step, a text with its own length: each is a form. It knows how the
target is checked and gathered, which plans train, judge and answer its questions, and how its data is split. Plans,
loader, preprocessor and splits ask the form and know no form by name.

Axes: B rows of a batch, T steps, N sequences, U steps of a target with its own length, H horizon, K classes, W width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from unrolled.batch import Spec
from unrolled.data.encodings.base import Encoded, Encoding, Where
from unrolled.data.plans.segments import Segments
from unrolled.data.plans.strands import Strands
from unrolled.data.plans.windows import Plan
from unrolled.data.tables.sequences import Sequences
from unrolled.registry import Registry

__all__ = [
    "FORMS",
    "AsksValues",
    "BatchSettings",
    "Division",
    "EncodedSplit",
    "Plans",
    "TargetForm",
    "form_of",
    "known_form",
    "numbers_of",
]

FORMS = Registry("form")


class EncodedSplit(Protocol):
    """What a form may ask of one encoded split; `unrolled.data.examples.examples.Examples` has it."""

    @property
    def target(self) -> Encoded | None: ...

    @property
    def target_spec(self) -> Spec | None: ...

    @property
    def first(self) -> np.ndarray | None: ...

    @property
    def strands(self) -> Strands | None: ...

    def steps(self) -> np.ndarray: ...

    def window_ends(self, stride: int = 1) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a run wants its batches.

    Attributes:
        batch: rows or lanes in a batch.
        seed: of the order in training.
        bptt: steps of the pieces in which sequences are trained; ``None`` lets their length decide.
        lookback: the most steps of history before a forecast.
        mask: the share of tokens that are hidden to be filled in.
    """

    batch: int
    seed: int
    bptt: int | None
    lookback: int
    mask: float


class Plans(Protocol):
    """Which batches a form needs. Lengths are (N,) int64.

    Attributes:
        cuts: whether ``bptt`` may cut a sequence into pieces.
    """

    cuts: ClassVar[bool]

    def questions(self, steps: np.ndarray) -> np.ndarray:
        """How many steps of rows with ``steps`` steps are asked for something."""

    def read(self, steps: np.ndarray, lookback: int) -> np.ndarray:
        """How many steps of each row a model reads at once, for each of which it needs a position."""

    def window(self, split: EncodedSplit, bptt: int | None) -> int | None:
        """The steps of a window of truncated BPTT: ``bptt``, or what long sequences need; ``None``: none is cut."""

    def training(self, split: EncodedSplit, settings: BatchSettings, epoch: int) -> Plan:
        """The batches of one epoch, a pure function of (seed, epoch)."""

    def judging(self, split: EncodedSplit, settings: BatchSettings, pieces: bool) -> Plan:
        """Every question once, in a fixed order; with ``pieces``, long sequences may be judged in pieces."""

    def answering(self, known: np.ndarray, settings: BatchSettings) -> Plan:
        """Each row once, of which the first ``known`` steps are read."""


class Division(NamedTuple):
    """What is left of the data, what is held out of it, and how, in words."""

    left: Sequences
    held_out: Sequences
    how: str


class TargetForm(Protocol):
    """How a target answers its inputs. A file in ``data/forms/`` with a line ``MEMBER = Class`` is a form.

    A form is a frozen dataclass whose fields are the numbers that were asked for, such as a horizon.

    Attributes:
        name: as the file is called; ``coder.json`` has it.
        continues: the target is one of the inputs: its future, or what is hidden of it.
        predicts_next: step t + 1 of the target answers step t.
        whole: a row is one question.
        own_length: the target is a sequence with its own length.
        writes: a decoder writes the target, from ``<begin>`` to ``<end>``.
        horizon: H, the steps ahead that a forecast asks for; else 0.
        asks: what is asked of the input that is the target, in words; empty where it is no input.
        plans: which batches it needs.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    name: ClassVar[str]
    continues: ClassVar[bool]
    predicts_next: ClassVar[bool]
    whole: ClassVar[bool]
    own_length: ClassVar[bool]
    writes: ClassVar[bool]
    plans: ClassVar[Plans]

    @property
    def horizon(self) -> int: ...

    @property
    def asks(self) -> str: ...

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        """The encoded target as it is asked for.

        Args:
            target: the column, without the flags of missing values.
            answer: its encoding.
            steps: (N,) the steps of each row's inputs.
            where: how errors name the column.

        Raises:
            DataError: a value cannot be asked for.
        """

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        """The target of a batch, int64 of a `Discrete` target and float32 of others; what is missing is marked.

        Shape:
            real (B, T) bool -> (B,), (B, K), (B, T), (B, T, W), (B, U) or (B, H, W), as the form has it.
        """

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        """Hold out a ``share`` in (0, 1) for a later split.

        Raises:
            DataError: there is too little to divide.
        """


@runtime_checkable
class AsksValues(Protocol):
    """A form of which each value of the target answers one question."""

    def asked(self, target: Encoded, first: np.ndarray | None, discrete: bool) -> np.ndarray:
        """(Q,) int64: where in the target's values the known answers lie.

        Args:
            target: the target.
            first: (N,) int64, the first step of each row that the split owns; ``None``: it owns all.
            discrete: whether the values are ids.
        """


def known_form(name: str) -> str:
    """``name``, if a form is called so; otherwise a ``ValueError``, as pydantic's validators raise it."""
    if name not in FORMS:
        raise ValueError(f"there is no form {name!r}")
    return name


def numbers_of(form: TargetForm) -> dict[str, int]:
    """The numbers that were asked for, such as a horizon."""
    return {field.name: getattr(form, field.name) for field in fields(form)}


def form_of(name: str, numbers: Mapping[str, int]) -> TargetForm:
    """The form called ``name``, with those of the ``numbers`` that it has.

    Example:
        >>> form_of("horizon", {"horizon": 3}), form_of("next", {"horizon": 0})
        (Horizon(horizon=3), Next())
    """
    member = FORMS.get(name)
    form: TargetForm = member(**{field.name: numbers[field.name] for field in fields(member)})
    return form
