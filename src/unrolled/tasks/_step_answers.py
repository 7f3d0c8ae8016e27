"""Answers as part of a step's program: what a task makes of the outputs of one step, number by number.

Axes: H horizon, C channels, Q numbers of each value, K labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.program.instructions import Softmax, Sort, Source, Vector
from unrolled.program.program import Choice, Program
from unrolled.tasks._gaussian import LEAST_LOG_SIGMA
from unrolled.tasks._intervals import Widths
from unrolled.tasks._rare import Cut

__all__ = ["step_choice", "step_forecast", "step_gaussian", "step_odds", "step_values"]

_SIGMA = "exp(maximum(log_sigma, least) + widened) * std"


def step_choice(
    program: Program, target: str, outputs: Vector, cut: Cut | None = None, never: Sequence[int] = ()
) -> None:
    """Write the probabilities of one label among K.

    Args:
        program: where to.
        target: the column that is answered.
        outputs: (K,) logits.
        cut: the probability from which the rarer of two labels is given.
        never: the ids that are no answers.
    """
    chances = program.answer(f"{target}_p", outputs.size, f"probability of each value of {target!r}", chances=True)
    program.copy(chances, outputs)
    program.add(Softmax(chances))
    for one in never:
        program.each({"y": "0"}, {}, {"y": chances.part(one, 1)}, 1)
    program.choice = Choice() if cut is None else Choice(cut.positive, cut.least)


def step_odds(program: Program, name: str, target: str, outputs: Vector) -> None:
    """Write the probability of each of K values, of which several may come."""
    chances = program.answer(name, outputs.size, f"probability of each value of {target!r}; several may come")
    program.each({"y": "sigmoid(o)"}, {"o": outputs}, {"y": chances}, outputs.size)


def step_values(program: Program, target: str, outputs: Vector, mean: float, std: float) -> None:
    """Write one number in the data's own units.

    Args:
        program: where to.
        target: the column that is answered.
        outputs: (1,), in units of ``std``, from ``mean``.
        mean, std: of the column.
    """
    answer = program.answer(f"{target}_predicted", 1, f"{target!r}, in its own units")
    program.each({"y": "o * std + mean"}, {"o": outputs, "std": std, "mean": mean}, {"y": answer}, 1)


def step_gaussian(program: Program, target: str, outputs: Vector, current: Vector, units: Any) -> None:
    """Write the mean and the deviation of each channel at the next step, in the data's own units.

    Args:
        program: where to.
        target: the column that goes on.
        outputs: (2C,) changes of the means, then log σ.
        current: (C,) the scaled values of this step.
        units: the mean and the deviation of each channel.
    """
    channels = current.size
    mean = program.answer(f"{target}_predicted", channels, f"mean of {target!r} at the next step, in its own units")
    sigma = program.answer(f"{target}_sigma", channels, f"standard deviation of {target!r} at the next step")
    own: dict[str, Source] = {
        "std": program.constant("answer_std", units.std),
        "mean": program.constant("answer_mean", units.mean),
        "now": current,
        "o": outputs.part(0, channels),
        "log_sigma": outputs.part(channels, channels),
        "least": LEAST_LOG_SIGMA,
        "widened": 0.0,
    }
    program.each({"y": "(now + o) * std + mean", "sigma": _SIGMA}, own, {"y": mean, "sigma": sigma}, channels)


def step_forecast(task: Any, program: Program, outputs: Vector, scale: float, widths: Widths | None) -> None:
    """Write each column of a forecast, in the data's own units.

    Args:
        task: a `Forecast`.
        program: where to.
        outputs: (H·C·Q,) changes from the value of this step.
        scale: of the model's own intervals.
        widths: of measured intervals.
    """
    coder, channels, horizon = task.coder, task.channels, task.coder.horizon
    numbers = outputs.size // (horizon * len(channels))
    apart, middle = len(channels) * numbers, task.quantiles.index(0.5) if task.quantiles else 0
    if task.quantiles:
        program.add(Sort(outputs, numbers))
    current = program.inputs[coder.target]
    assert isinstance(current, Vector)
    for c, (channel, mean, std) in enumerate(zip(channels, coder.answer.mean, coder.answer.std, strict=True)):
        own: dict[str, Source] = {"now": current.part(c, 1, 0), "mean": float(mean), "std": float(std)}
        own |= {"middle": outputs.part(c * numbers + middle, horizon, apart), "scale": scale}
        own |= {"least": LEAST_LOG_SIGMA, "widened": math.log(scale)}

        def column(name: str, meaning: str, equation: str, **more: Source) -> None:
            answer = program.answer(name, horizon, f"{meaning} at each of the next {horizon} steps, in its own units")
            program.each({"y": equation}, {**own, **more}, {"y": answer}, horizon)  # noqa: B023 - called at once

        column(f"{channel}_predicted", repr(channel), "(now + middle) * std + mean")
        if task.gaussian:
            sigma = outputs.part(c * numbers + 1, horizon, apart)
            column(f"{channel}_sigma", f"standard deviation of {channel!r}", _SIGMA, log_sigma=sigma)
        for quantile in sorted(task.options.quantiles):
            place = outputs.part(c * numbers + task.quantiles.index(quantile), horizon, apart)
            equation = "(now + middle + scale * (o - middle)) * std + mean"
            column(f"{channel}_q{100 * quantile:g}", f"{quantile:g} quantile of {channel!r}", equation, o=place)
        if widths is not None:
            for level, side in ((10, -widths.below[:, c]), (90, widths.above[:, c])):
                width = program.constant(f"width_q{level}", np.ascontiguousarray(side))
                equation = "(now + middle + width) * std + mean"
                column(f"{channel}_q{level}", f"{level / 100:g} quantile of {channel!r}", equation, width=width)
