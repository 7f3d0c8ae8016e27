"""What a run's model is made of besides the network: the solved model it starts from, and those it is mixed with."""

from __future__ import annotations

import math
from collections.abc import Mapping

from unrolled.data.examples.examples import Examples
from unrolled.errors import UsageError, named
from unrolled.metrics.metric import cost
from unrolled.models.combined import Combined
from unrolled.models.model import Model
from unrolled.planning.blend import Mixed, Reference, surely_better, weigh
from unrolled.planning.choice import FIXED, Choice
from unrolled.runs.config import RunConfig
from unrolled.runs.opening import NONE
from unrolled.runs.plan import Say
from unrolled.runs.rivals import Rivals
from unrolled.solved.solved_model import SolvedModel
from unrolled.tasks.task import Task

__all__ = ["blended", "solved_again", "solved_in", "with_start", "without_chance"]

_MOST, _TRIED = 2, 3  # solved models in a mixture, and those that are tried: the best alone


def with_start(config: RunConfig, task: Task, rivals: Rivals, say: Say) -> RunConfig:
    """The configuration with the solved model that the network starts from, if one is good enough on validation.

    Args:
        config: of the run.
        task: what is asked.
        rivals: the solved models and their metrics.
        say: receives a line about the choice.

    Raises:
        UsageError: the user chose a solved model that cannot answer the task, or whose share cannot be chosen.
    """
    _check_blend(config, task, rivals)
    asked = config.model.start
    if asked == NONE or any(choice.field == "start" for choice in config.plan):
        return config
    if asked is not None:
        return _with_options(config, rivals.solved_by(asked, task), asked)
    if config.training.plan == FIXED or config.training.init_from is not None:
        return config
    able = [name for name in _ranked(config, task, rivals) if rivals.solved[name].starts]
    if not able:
        return config
    name = able[0]
    value = rivals.on_valid[rivals.solved[name].name][task.chooses]
    config = _with_options(config, rivals.solved[name], name)
    reason = f"the best of {len(able)} that can be solved: {task.chooses} {value:.4g} on validation"
    config = config.model_copy(update={"model": config.model.model_copy(update={"start": name})})
    return _planned(config, Choice(field="start", value=name, source="rule", reason=reason), say)


def without_chance(
    config: RunConfig, network: Model, task: Task, valid: Examples, rivals: Rivals, device: str, say: Say
) -> bool:
    """Whether the network is to be left out: it is not surely better than the solved model that it started from.

    Args:
        config, network, task, valid, rivals, device: as for `blended`.
        say: receives a line if it is left out.
    """
    name = config.model.start
    if not any(choice.field == "start" for choice in config.plan) or name is None:
        return False  # the user asked for both
    start = rivals.solved[name].to(device)
    if surely_better(Reference(network, task, valid, config.training, device), start):
        return False
    say(f"plan: the {start.name} alone (a network on top is not better by a standard error on the validation data)")
    return True


def _ranked(config: RunConfig, task: Task, rivals: Rivals) -> list[str]:
    """The solved models that the run may use, the best on the validation data first."""
    values = {
        name: cost(task.chooses, rivals.on_valid.get(model.name, {}).get(task.chooses, math.nan))
        for name, model in rivals.solved.items()
        if not (config.model.live and model.cannot_stream)
    }
    return sorted((name for name, value in values.items() if value == value), key=lambda one: (values[one], one))


def blended(
    config: RunConfig, network: Model, task: Task, valid: Examples, rivals: Rivals, device: str, say: Say
) -> tuple[RunConfig, Model]:
    """The configuration and the model after mixing it with the solved models that help on the validation data.

    Args:
        config: of the run.
        network: with its best weights.
        task: what is asked.
        valid: the validation split.
        rivals: the solved models.
        device: the device of the network.
        say: receives a line about each model that is mixed in.
    """
    asked = config.model.blend if "blend" in config.asked else ()  # else it is of a run that was stopped while saved
    if NONE in asked or (config.training.plan == FIXED and not asked):
        return config, network
    left = {name: rivals.solved_by(name, task) for name in asked} or {
        name: rivals.solved[name] for name in _ranked(config, task, rivals)[:_TRIED] if name != config.model.start
    }
    model = config.model.model_copy(update={"blend": ()})
    config = config.model_copy(
        update={"model": model, "plan": tuple(choice for choice in config.plan if choice.source != "blend")}
    )
    while left and len(config.model.blend) < max(_MOST, len(asked)):
        known = Reference(network, task, valid, config.training, device)
        found = {name: weigh(known, model.to(device)) for name, model in left.items()}
        able = {name: mixed for name, mixed in found.items() if mixed is not None and (mixed.helps or name in asked)}
        if not able:
            break
        name = min(able, key=lambda one: (cost(task.chooses, able[one].value), one))
        config, network = _mixed(config, network, task, left.pop(name), name, able[name], say)
    return config, network


def solved_again(config: RunConfig, network: Model, solved: Mapping[str, SolvedModel]) -> RunConfig:
    """Replace the solved models in ``network`` by those of the same names; the configuration with their sizes.

    Args:
        config: of the run; it says which solved models the network has.
        network: a model as `blended` gave it.
        solved: name -> solved model, such as of more data.
    """
    part = network
    for name in solved_in(config)[::-1]:
        assert isinstance(part, Combined)
        if name in solved:  # else it does not apply to more data, and stays as it is
            part.replace(solved[name])
            config = _with_options(config, solved[name], name)
        part = part.network
    return config


def solved_in(config: RunConfig) -> list[str]:
    """The names of the solved models that a run's model has: the one it starts from, and those mixed in, in order."""
    names = [config.model.start, *config.model.blend]
    return [name for name in names if name is not None and name != NONE]


def _check_blend(config: RunConfig, task: Task, rivals: Rivals) -> None:
    """Refuse a mixture that cannot be made before hours of training."""
    for name in config.model.blend:
        if name == NONE:
            continue
        if not rivals.on_valid:
            raise UsageError(f"{named('blend')} {name}: its share is chosen on validation data, and there is none")
        rivals.solved_by(name, task)


def _mixed(
    config: RunConfig, network: Model, task: Task, other: SolvedModel, name: str, mixed: Mixed, say: Say
) -> tuple[RunConfig, Model]:
    together = Combined(network, other, task.mixing)
    together.share.fill_(mixed.share)
    model = config.model.model_copy(update={"blend": (*config.model.blend, name)})
    config = _with_options(config.model_copy(update={"model": model}), other, name)
    reason = f"a share of {mixed.share:g}: {mixed.say()}"
    choice = Choice(field="blend", value=name, source="blend", reason=reason)
    return _planned(config, choice, say), together.eval()


def _with_options(config: RunConfig, solved: SolvedModel, name: str) -> RunConfig:
    """``config`` with the sizes of a solved model, so that it can be rebuilt."""
    own = {**config.model.own, f"solved.{name}": solved.options.model_dump(mode="json")}
    return config.model_copy(update={"model": config.model.model_copy(update={"own": own})})


def _planned(config: RunConfig, choice: Choice, say: Say) -> RunConfig:
    say(choice.say())
    return config.model_copy(update={"plan": (*config.plan, choice)})
