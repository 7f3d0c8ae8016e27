"""Choosing what the user left open, once the training split is encoded: facts, rules, and the budget's passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow.compute as pc
import torch

from unrolled.baselines._season import season
from unrolled.config import Part
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.encoding import has_time
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.tables.sequences import Sequences
from unrolled.data.tables.split import list_lengths
from unrolled.declarations import Owner, declared, owners_of
from unrolled.layers.config import ModelConfig
from unrolled.layers.factory import member_of
from unrolled.models.build import layer_configs
from unrolled.planning.choice import Choice
from unrolled.planning.facts import Facts, measure
from unrolled.planning.rules.rule import Wishes, choices_for, others_for
from unrolled.registry import Registry
from unrolled.runs.config import RunConfig
from unrolled.runs.opening import build
from unrolled.runs.options import of_networks, of_part, options_in
from unrolled.tasks.task import make_task
from unrolled.training.bptt import TruncatedBPTT
from unrolled.training.config import TrainingConfig
from unrolled.training.plans import training_plan
from unrolled.training.schedule import LONGEST

__all__ = ["Pace", "alternatives", "choose", "facts_of", "in_words", "with_choices"]

_WARM, _TIMED = 2, 3  # training steps
_ALTERNATIVES = 3


def choose(
    config: RunConfig, given: Mapping[str, Any], facts: Facts, coder: Preprocessor, train: Examples
) -> RunConfig:
    """The configuration with what the rules choose, and the plan that says so.

    Args:
        config: as the user asked.
        given: the options that the user gave.
        facts: about the data.
        coder, train: the training split and its encodings, for the time that a step takes.
    """
    if config.model.alone is None:
        wishes = Wishes(given, config.model.live, Pace(config, coder, train).passes)
        choices = choices_for(facts, wishes)
    else:
        wishes = Wishes(given, config.model.live)
        choices = tuple(choice for choice in choices_for(facts, wishes) if not of_networks(choice.field))
    chosen = with_choices(config, {choice.field: choice.value for choice in choices}, coder.form.writes)
    return chosen.model_copy(update={"plan": tuple(choice for choice in choices if _took_effect(choice, chosen))})


def alternatives(config: RunConfig, facts: Facts) -> list[dict[str, Any]]:
    """Options that may do better than what the rules chose, the likeliest first.

    Args:
        config: of a run with its plan.
        facts: about its data.
    """
    given = options_in(config, config.asked)
    chosen = {**given, **{choice.field: choice.value for choice in config.plan}}
    return others_for(facts, given, chosen)[:_ALTERNATIVES]


def in_words(values: Mapping[str, Any]) -> str:
    """An alternative in words."""
    return " ".join(f"{name} {value}" for name, value in values.items()) or "as planned"


def facts_of(train: Examples, held_out: Sequences | None, period: int | None) -> Facts:
    """The facts of a run.

    Args:
        train: the training split.
        held_out: the validation split before encoding.
        period: the steps of a season, if the user gave them.
    """
    found = 1
    if train.horizon:
        found = period or season(train)
    return measure(train, _answers(held_out, train), found)


def with_choices(config: RunConfig, values: Mapping[str, Any], writes: bool) -> RunConfig:
    """``config`` with other values of options; those of members that the run does not have are left out.

    Args:
        config: of a run.
        values: option -> value.
        writes: whether the model is an encoder–decoder.
    """
    model = _checked(config.model, of_part(values, "model"))
    layers = [Owner(*member_of(part.name)) for part in layer_configs(model, writes)]
    kind = Owner("model", "encoder_decoder" if writes else "network")
    model = model.model_copy(update={"own": _own(model.own, [kind, *layers], values)})
    task = config.task.model_copy(update={"own": _own(config.task.own, [Owner("task", config.task.name)], values)})
    training = _checked(config.training, of_part(values, "training"))
    return config.model_copy(update={"model": model, "task": task, "training": training})


def _checked(part: Any, values: Mapping[str, Any]) -> Any:
    return type(part).check({**part.model_dump(), **values})


def _own(before: Mapping[str, Any], owners: list[Owner], values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(before)
    for owner in owners:
        names = {option.name for option in declared().get(owner, ())}
        if names:
            part: type[Part] = Registry(owner.kind).get(owner.name).Options
            own = {name: value for name, value in values.items() if name in names}
            found[owner.key] = part.check({**before.get(owner.key, {}), **own}).model_dump(mode="json")
    return found


def _took_effect(choice: Choice, config: RunConfig) -> bool:
    """Whether a part of the run, or a member that it has, declares the option."""
    keys = {*config.task.own, *config.model.own, *config.training.own}
    return any(owner.kind == "part" or owner.key in keys for owner in owners_of(choice.field))


def _answers(held_out: Sequences | None, train: Examples) -> int:
    """How many answers the validation split has."""
    if held_out is None or train.form.whole:
        return 0 if held_out is None else len(held_out)
    columns = [held_out.column(name) for name in held_out.kinds]
    column = next((one for one in columns if has_time(one.type)), columns[0])
    lengths = list_lengths(column) if has_time(column.type) else pc.utf8_length(column).to_numpy()
    first = 0 if held_out.first is None else held_out.first
    return int((lengths - first).clip(min=0).sum())


class Pace:
    """How often the budget lets the training data be read.

    Args:
        config: of the run; its budget is in steps, epochs or minutes.
        coder, train: the training split and its encodings.
        clock: seconds, read only if the budget is in minutes.
    """

    def __init__(
        self, config: RunConfig, coder: Preprocessor, train: Examples, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._config, self._coder, self._train, self._clock = config, coder, train, clock
        self._known: dict[str, float] = {}  # configuration of model and batches -> seconds a step

    def passes(self, values: Mapping[str, Any]) -> float:
        """The passes with these values of options."""
        config = with_choices(self._config, values, self._coder.form.writes)
        training, batches = config.training, self.batches(config)
        if training.steps is not None:
            return training.steps / batches
        if training.epochs is not None:
            return training.epochs
        return 60 * (training.minutes or LONGEST) / (self.seconds(config) * batches)

    def batches(self, config: RunConfig) -> int:
        """The training steps of a pass over the data."""
        return max(1, len(training_plan(self._train, self._batching(config), config.training, 0)))

    def _batching(self, config: RunConfig) -> Any:
        return make_task(config.task, self._coder).batching

    def seconds(self, config: RunConfig) -> float:
        """The seconds of a training step, timed once for each shape of the model and the batches."""
        shape = _shape(config.model, config.training)
        if shape not in self._known:
            with torch.random.fork_rng():
                self._known[shape] = self._timed(config)
        return self._known[shape]

    def _timed(self, config: RunConfig) -> float:
        task = make_task(config.task, self._coder)
        network = build(config, task)
        loader = Loader(self._train, training_plan(self._train, task.batching, config.training, 0))
        if not len(loader):
            return 1.0  # training refuses it, in words
        carry = TruncatedBPTT(network)
        for at in range(_WARM + _TIMED):
            if at == _WARM:
                began = self._clock()
            outputs, batch = carry.run(loader, at % len(loader), "cpu")
            total, _ = task.loss(outputs, batch)
            total.backward()  # type: ignore[no-untyped-call]
        return max(1e-6, (self._clock() - began) / _TIMED)


def _shape(model: ModelConfig, training: TrainingConfig) -> str:
    """What the time of a step depends on."""
    return f"{model.model_dump(exclude={'dropout'})} {training.batch} {training.bptt}"
