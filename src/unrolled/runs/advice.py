"""What to try next, from what the run itself could see: its losses, its labels, its intervals and its splits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unrolled.errors import named
from unrolled.layers.config import ModelConfig
from unrolled.metrics._tally import Tally
from unrolled.metrics.metric import measure
from unrolled.runs.training_log import TrainingLog
from unrolled.training.config import TrainingConfig

__all__ = ["Course", "Held", "about_data", "about_gradients", "about_training"]

_RISE = 1.05  # the validation loss has risen if it ends above so many times its lowest
_FLAT = 0.98  # the training loss has not fallen if it ends above this share of where it began
_GAIN, _LATELY = 0.05, 3  # training has not ended if the last three validations gained this share
_FEW = 20  # a figure that rests on fewer sequences or windows is uncertain
_OFF = 0.1  # a share of values in intervals that is this far off is worth a word
_LISTED = 5  # labels that are named
_LARGE_LR = 0.01
_DROPOUT = 0.3
_MOSTLY, _HUGE = 0.5, 10  # gradients explode if more of the steps are clipped, from a norm of so many times the limit
_VANISHED = 1e-4  # the gradient of the first layer has vanished below this share of the last one's


@dataclass(frozen=True, slots=True)
class Course:
    """The course of a training: the steps and values of its losses.

    Attributes:
        steps, losses: the training loss, averaged over the steps before each.
        validated, held_out: the loss on the validation split.
        kept: the step whose weights were kept; ``None`` if nothing was held out.
        end: the last step.
    """

    steps: tuple[int, ...]
    losses: tuple[float, ...]
    validated: tuple[int, ...]
    held_out: tuple[float, ...]
    kept: int | None
    end: int

    @property
    def flat(self) -> bool:
        """Whether the training loss stays where it began."""
        return len(self.losses) > 1 and 0 < _FLAT * self.losses[0] < min(self.losses)

    @classmethod
    def of(cls, log: TrainingLog, watch: str, kept: int | None, end: int) -> Course:
        """The course from the log of the training; ``watch`` is the name of the loss."""
        held = log.valid.get(watch, np.full(len(log.validated), np.nan))
        trained, known = np.isfinite(log.losses), np.isfinite(held)
        return cls(
            tuple(log.steps[trained].tolist()),
            tuple(log.losses[trained].tolist()),
            tuple(log.validated[known].tolist()),
            tuple(held[known].tolist()),
            kept,
            end,
        )


def about_training(course: Course, model: ModelConfig, training: TrainingConfig) -> Iterator[str]:
    """Why the weights are not better: the run overfits, learns nothing, or had not ended."""
    if course.flat:
        yield (
            f"It learns nothing: its training loss stays at {course.losses[-1]:.4g}, what it is without any input. "
            f"Check that the inputs say something about the target, or try {_option('lr', _rate(training))}."
        )
        return
    if (since := _overfits_since(course)) is not None:
        lowest, last = min(course.held_out), course.held_out[-1]
        yield (
            f"It overfits since step {since}: its validation loss rises from {lowest:.4g} to {last:.4g} while its "
            f"training loss falls to {course.losses[-1]:.4g}. Try {' or '.join(_smaller(model))}, or give it more data."
        )
    elif _still_improves(course):
        yield f"It is still improving at its last step: give it more time, such as {_longer(training)}."


def about_gradients(log: TrainingLog, model: ModelConfig, training: TrainingConfig) -> Iterator[str]:
    """Whether the gradients of the last entries explode, or vanish on their way back to the first layer."""
    norm, clipped = log.lately(log.norms), log.lately(log.clipped)
    if training.clip is not None and clipped > _MOSTLY and norm > _HUGE * training.clip:
        part = max(log.parts, key=lambda name: np.nan_to_num(log.lately(log.parts[name])))
        yield (
            f"Its gradients explode: lately {clipped:.0%} of the steps were clipped to a norm of {training.clip:g}, "
            f"and their norm was {norm:.3g}, most of it in {part} ({log.lately(log.parts[part]):.3g}). Try "
            f"{_option('lr', training.lr / 10)}."
        )
    if log.stacked is None:
        return
    last = list(log.parts)[-1]
    first, end = log.lately(log.parts[log.stacked]), log.lately(log.parts[last])
    if first < _VANISHED * end:
        fewer = f"{_option('layers', model.layers // 2)}, or " if model.layers > 1 else ""
        of = f"the {last}" if last.endswith("layer") else last
        yield (
            f"Its gradients vanish: that of {log.stacked} is {first / end:.0e} of that of {of}, so it hardly learns. "
            f"Try {fewer}another {named('model')}, such as lstm."
        )


def _overfits_since(course: Course) -> int | None:
    """The step of the lowest validation loss, if the loss rises from there on while the training loss falls."""
    if len(course.held_out) < 3 or not course.losses:
        return None
    at = int(np.argmin(course.held_out))
    lowest, last = course.held_out[at], course.held_out[-1]
    before = [loss for step, loss in zip(course.steps, course.losses, strict=True) if step <= course.validated[at]]
    falls = course.losses[-1] < (before[-1] if before else course.losses[0]) or len(course.losses) == 1
    rises = last - lowest > (_RISE - 1) * abs(lowest) and at < len(course.held_out) - 1
    return course.validated[at] if rises and falls else None


def _still_improves(course: Course) -> bool:
    if len(course.held_out) < _LATELY or course.kept != course.end:
        return False
    before, last = course.held_out[-_LATELY], course.held_out[-1]
    return before - last > _GAIN * abs(before)


def _smaller(model: ModelConfig) -> Iterator[str]:
    if model.dropout < _DROPOUT:
        yield _option("dropout", _DROPOUT)
    if model.hidden >= 32:
        yield _option("hidden", model.hidden // 2)


def _rate(training: TrainingConfig) -> float:
    return _LARGE_LR if training.lr < _LARGE_LR else training.lr / 10


def _longer(training: TrainingConfig) -> str:
    for name in ("steps", "epochs"):
        if getattr(training, name) is not None:
            return _option(name, 3 * getattr(training, name))
    return _option("minutes", 3 * (training.minutes or 10))


def _option(name: str, value: float) -> str:
    return f"{named(name)} {value:g}"


@dataclass(frozen=True, slots=True)
class Held:
    """What a run saw on its validation split.

    Attributes:
        cases: how many sequences, or windows and stretches that do not overlap, its figures rest on.
        what: what those are, in words.
        metrics: the measures of the model.
        labels: the labels that answers are one of.
        tally: how often each was the right one and was given; ``None`` if answers are not labels.
    """

    cases: int
    what: str
    metrics: Mapping[str, float]
    labels: Sequence[Any] = ()
    tally: Tally | None = None


def about_data(held: Held, remedy: str) -> Iterator[str]:
    """What limits the figures themselves: labels that are never given, few cases, intervals of a wrong width.

    Args:
        held: what was seen.
        remedy: what helps labels that are never given, such as an option; empty if nothing does.
    """
    if held.tally is not None:
        yield from _never_given(held.labels, held.tally, remedy)
    if 0 < held.cases < _FEW:
        yield (
            f"The validation rests on {held.cases} {held.what}, so its figures are uncertain: hold out more with "
            f"{_option('valid', 0.3)}, or give it more data."
        )
    for name, value in held.metrics.items():
        declared = measure(name)
        wanted = held.metrics.get(declared.wanted or "", math.nan) if declared else math.nan
        if abs(value - wanted) > _OFF:
            size = "narrow" if value < wanted else "wide"
            yield f"Its intervals are too {size}: they hold {value:.0%} of the values instead of {wanted:.0%}."


def _never_given(labels: Sequence[Any], tally: Tally, remedy: str) -> Iterator[str]:
    never = np.flatnonzero((tally.support > 0) & (tally.predicted == 0))
    if not len(never):
        return
    never = never[np.argsort(-tally.support[never], kind="stable")]
    total = int(tally.support.sum())
    listed = ", ".join(f"{labels[k]!r} ({tally.support[k]} of {total})" for k in never[:_LISTED])
    more = f" and {len(never) - _LISTED} more" if len(never) > _LISTED else ""
    yield f"Never predicted: {listed}{more}.{f' Try {remedy}.' if remedy else ''}"
