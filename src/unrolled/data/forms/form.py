"""The form of a target: how the target answers the inputs, and everything that depends on it.

One label for a row, a label for each step, the next step, a text with its own length: each is a form. It says how the
target is checked and gathered, which plans are used for training, evaluation and prediction, and how data is split.
General code calls the form and does not know any form by name.

Axes: B rows of a batch, T steps, N sequences, U steps of a target with its own length, H horizon, K classes, W width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from unrolled.batch import Spec
from unrolled.data.encodings.encoding import Encoded, Encoding, Where
from unrolled.data.plans.order import Lengths
from unrolled.data.plans.segments import Segments
from unrolled.data.plans.strands import Strands
from unrolled.data.plans.windows import Ends, Plan
from unrolled.data.tables.sequences import Sequences
from unrolled.registry import Registry

__all__ = [
    "FORMS",
    "AsksValues",
    "BatchSettings",
    "Division",
    "EncodedSplit",
    "Plans",
    "RepeatsSteps",
    "TargetForm",
    "form_of",
    "known_form",
    "numbers_of",
    "repeats_of",
]

FORMS = Registry("form")


class EncodedSplit(Protocol):
    """What a form may read from an encoded split, such as `unrolled.data.examples.examples.Examples`."""

    @property
    def target(self) -> Encoded | None:
        """The encoded target column, if the split has one."""

    @property
    def target_spec(self) -> Spec | None:
        """What the values of the target are."""

    @property
    def first(self) -> np.ndarray | None:
        """(N,) the first step of each row that is scored; ``None`` if all are."""

    @property
    def strands(self) -> Strands | None:
        """The complements of the symbols, if rows are read on both strands."""

    def steps(self) -> np.ndarray:
        """(N,) int64: the number of steps of each row."""

    def lengths(self) -> Lengths:
        """`steps`, to be looked up."""

    def holds(self) -> np.ndarray | None:
        """(N,) bool: whether a row has any step, in its main sequence or beside it; ``None``: the main one tells."""

    def windows(self, stride: int = 1) -> Ends:
        """The row and the last history step of each training window, every ``stride`` steps."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """The batch settings of a run.

    Attributes:
        batch: rows or lanes in a batch.
        seed: the seed of the order in training.
        bptt: steps of the pieces in which sequences are trained; ``None``: chosen by their length.
        lookback: the most steps of history before a forecast.
        mask: the share of tokens that are hidden, for the task ``fill``.
        tokens: the most steps in a batch of training, in place of ``batch``.
        blocks: of how many blocks the split is read in training (see `Rows`).
    """

    batch: int
    seed: int
    bptt: int | None
    lookback: int
    mask: float
    tokens: int | None = None
    blocks: int | None = None


class Plans(Protocol):
    """The batches that a form needs. Lengths are (N,) int64.

    Attributes:
        cuts: whether ``bptt`` may cut a sequence into pieces.
        packs: whether a batch of training may have as many rows as have so many steps.
    """

    cuts: ClassVar[bool]
    packs: ClassVar[bool]

    def questions(self, steps: np.ndarray) -> np.ndarray:
        """How many steps of each row are questions, for rows with ``steps`` steps."""

    def read(self, steps: np.ndarray, lookback: int) -> np.ndarray:
        """How many steps of each row a model reads at once, and so needs positions for."""

    def window(self, split: EncodedSplit, bptt: int | None) -> int | None:
        """The window of truncated BPTT in steps: ``bptt``, or a default for long sequences; ``None``: no cuts."""

    def training(self, split: EncodedSplit, settings: BatchSettings, epoch: int) -> Plan:
        """Training: the batches of one epoch, a pure function of (seed, epoch)."""

    def judging(self, split: EncodedSplit, settings: BatchSettings, pieces: bool) -> Plan:
        """Evaluation: every question once, in a fixed order; with ``pieces``, long sequences may be cut."""

    def answering(self, known: np.ndarray, settings: BatchSettings) -> Plan:
        """Prediction: each row once, reading its first ``known`` steps."""


class Division(NamedTuple):
    """The data that is left, the data that is held out, and how, in words."""

    left: Sequences
    held_out: Sequences
    how: str


class TargetForm(Protocol):
    """How a target answers its inputs. A file in ``data/forms/`` with a line ``MEMBER = Class`` is a form.

    A form is a frozen dataclass whose fields are the task's numbers, such as a horizon.

    Attributes:
        name: the name of the file, saved in ``coder.json``.
        continues: the target is one of the inputs: its future, or its hidden steps.
        predicts_next: step t + 1 of the target answers step t.
        whole: each row is one question.
        own_length: the target is a sequence with its own length.
        writes: a decoder writes the target, from ``<begin>`` to ``<end>``.
        horizon: H, the forecast horizon in steps; 0 for other forms.
        asks: what is predicted of the input that is the target, in words; empty where the target is not an input.
        plans: the batches that it needs.
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
    def horizon(self) -> int:
        """The number of future steps that are predicted; 0 if the form has none."""

    @property
    def asks(self) -> str:
        """What is predicted, in words."""

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        """Check the encoded target and bring it into the form.

        Args:
            target: the column, without the flags of missing values.
            answer: its encoding.
            steps: (N,) the steps of each row's inputs.
            where: how errors name the column.

        Raises:
            DataError: a value cannot be a target.
        """

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        """The target of a batch: int64 for a `Discrete` target, otherwise float32; missing values are marked.

        Shape:
            real (B, T) bool -> (B,), (B, K), (B, T), (B, T, W), (B, U) or (B, H, W), depending on the form.
        """

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        """Hold out a ``share`` in (0, 1) of the sequences.

        Raises:
            DataError: there is too little data to split.
        """


@runtime_checkable
class AsksValues(Protocol):
    """A form in which each value of the target answers one question."""

    def asked(self, target: Encoded, first: np.ndarray | None, discrete: bool) -> np.ndarray:
        """(Q,) int64: the places of the known answers in the values of the target.

        Args:
            target: the target.
            first: (N,) int64, the first step of each row that belongs to the split; ``None``: all do.
            discrete: whether the values are ids.
        """


@runtime_checkable
class RepeatsSteps(Protocol):
    """A form that needs more steps than a row may have: each step of the inputs is read several times."""

    @property
    def repeat(self) -> int:
        """How often each step is read, one after the other; at least 1."""


def repeats_of(form: TargetForm) -> int:
    """How often each step of the inputs is read, one after the other."""
    return form.repeat if isinstance(form, RepeatsSteps) else 1


def known_form(name: str) -> str:
    """Return ``name`` if it names a form; otherwise raise ``ValueError``, as pydantic validators do."""
    if name not in FORMS:
        raise ValueError(f"unknown form {name!r}")
    return name


def numbers_of(form: TargetForm) -> dict[str, int]:
    """The numbers of ``form``, such as a horizon: field -> value."""
    return {field.name: getattr(form, field.name) for field in fields(form)}


def form_of(name: str, numbers: Mapping[str, int]) -> TargetForm:
    """The form called ``name``, with the ``numbers`` that it takes.

    Example:
        >>> form_of("horizon", {"horizon": 3}), form_of("next", {"horizon": 0})
        (Horizon(horizon=3), Next())
    """
    member = FORMS.get(name)
    names = [field.name for field in fields(member) if field.name in numbers or field.default is MISSING]
    form: TargetForm = member(**{name: numbers[name] for name in names})
    return form
