"""What a run's model is made of: a network, the solved model it starts from or only that one, and those mixed in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unrolled.data.examples.examples import Examples
from unrolled.errors import UsageError, named
from unrolled.layers.config import NONE, ModelConfig
from unrolled.metrics.metric import cost
from unrolled.models.combined import Combined
from unrolled.models.model import Model
from unrolled.planning.blend import Mixed, Reference, surely_better, weigh
from unrolled.planning.choice import FIXED, Choice
from unrolled.runs.config import RunConfig
from unrolled.runs.plan import Say
from unrolled.runs.rivals import Rivals
from unrolled.solved.solved_model import SolvedModel
from unrolled.tasks.task import Task
from unrolled.training.evaluate import evaluate

__all__ = ["Composer", "solved_again", "with_start"]

_MOST, _TRIED = 2, 3  # solved models in a mixture, and those that are tried: the best alone


def with_start(config: RunConfig, task: Task, rivals: Rivals, say: Say) -> RunConfig:
    """The configuration with the solved model that the network starts from, if one is good enough on validation.

    A run that is to have no network gets the sizes of the solved model that stands alone.

    Args:
        config: of the run; what was chosen at the end of a run that was stopped while it was saved is left out.
        task: what is asked.
        rivals: the solved models and their metrics.
        say: receives a line about the choice.

    Raises:
        UsageError: the user chose a solved model that cannot answer the task, or whose share cannot be chosen.
    """
    config = _before_its_end(config)
    _check_blend(config, task, rivals)
    asked = config.model.alone or config.model.start
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
    return _planned(
        _with_model(config, start=name), Choice(field="start", value=name, source="rule", reason=reason), say
    )


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes the final model from the trained one: what the solved models are for is decided on the validation data.

    Attributes:
        task: what is asked.
        valid: the validation split.
        rivals: the solved models.
        device: the device of the network.
        say: receives a line about each choice.
    """

    task: Task
    valid: Examples
    rivals: Rivals
    device: str
    say: Say

    def compose(
        self, config: RunConfig, network: Model, validated: Mapping[str, float] | None
    ) -> tuple[RunConfig, Model]:
        """The configuration and the final model, no worse on the validation data than each solved model.

        1. A network that is not surely better than the solved model that it started from is left out.
        2. Solved models are mixed in while they help; one whose best share is all of it stands alone.
        3. The best solved model stands alone unless what there is now is surely better. Little data to validate on
           cannot tell them apart, and data of another kind, such as a new speaker, misleads a network more.
        4. A solved model that combines several is mixed in as far as that still gains on the validation data.

        What the user asked for is kept, a network of a certain kind too.

        Args:
            config: of the run.
            network: with its best weights.
            validated: its metrics on the validation split, if they are known.
        """
        begun = network.eval()
        config, network = self._without_chance(config, network)
        config, network = self._blended(config, network)
        config, network = self._simplest(config, network, validated if network is begun else None)
        return self._combined(config, network)

    def _without_chance(self, config: RunConfig, network: Model) -> tuple[RunConfig, Model]:
        """Without the network, if it is not surely better than the solved model that it started from."""
        name = config.model.origin
        by_rule = any(choice.field == "start" for choice in config.plan)  # else the user asked for both
        if name is None or not by_rule or not self._may_leave_out(config):
            return config, network
        start = self.rivals.solved[name].to(self.device)
        if surely_better(self._reference(config, network), start):
            return config, network
        return self._alone(config, name, "a network on top is not surely better on validation")

    def _blended(self, config: RunConfig, network: Model) -> tuple[RunConfig, Model]:
        """Mixed with the solved models that help."""
        asked = config.model.blend
        if NONE in asked or (not asked and (config.training.plan == FIXED or _asked_alone(config))):
            return config, network
        base = config.model.alone or config.model.origin
        left = {name: self.rivals.solved_by(name, self.task) for name in asked} or {
            name: self.rivals.solved[name] for name in _ranked(config, self.task, self.rivals)[:_TRIED] if name != base
        }
        config, task = _with_model(config, blend=()), self.task
        while left and len(config.model.blend) < max(_MOST, len(asked)):
            known = self._reference(config, network)
            found = {name: weigh(known, model.to(self.device)) for name, model in left.items()}
            able = {
                name: mixed for name, mixed in found.items() if mixed is not None and (mixed.helps or name in asked)
            }
            if not able:
                break
            name = min(able, key=lambda one: (cost(task.chooses, able[one].value), one))
            mixed, other = able[name], left.pop(name)
            if (
                mixed.share == 1 and not asked and self._may_leave_out(config)
            ):  # such a mixture would run the rest in vain
                config, network = self._alone(config, name, f"the best share of it is all: {mixed.say()}")
            else:
                config, network = self._mixed(config, network, other, name, mixed)
        return config, network

    def _simplest(
        self, config: RunConfig, network: Model, validated: Mapping[str, float] | None
    ) -> tuple[RunConfig, Model]:
        """The best solved model in place of all that there is, unless that is surely better."""
        ranked = _ranked(config, self.task, self.rivals)
        if not ranked or not self._may_leave_out(config) or "blend" in config.asked:
            return config, network
        name, measure = ranked[0], self.task.chooses
        if config.model.solved == (config.model.alone,) == (name,):
            return config, network
        mixed = bool(config.model.blend)  # it has what the solved model has, so a lower loss may be trusted
        solved = self.rivals.solved[name].to(self.device)
        if surely_better(self._reference(config, network), solved, by_loss=mixed):
            return config, network
        known = validated or evaluate(network, self.task, self.valid, config.training, self.device)
        value, best = known.get(measure, math.nan), self._on_valid(name)
        better = cost(measure, value) < cost(measure, best)
        if better and self.task.mixing is None:  # whole answers, of which no standard error is taken
            return config, network
        surely = ", which is not surely better" if better else ""
        return self._alone(
            config, name, f"{measure} {best:.4g} on validation; what was trained has {value:.4g}{surely}"
        )

    def _combined(self, config: RunConfig, network: Model) -> tuple[RunConfig, Model]:
        """With the largest share of a combination of solved models that still improves the one that stands alone.

        Little data to validate on may prefer a model by chance, which then does worse on new data.
        """
        name = config.model.alone
        safe = [one for one in _ranked(config, self.task, self.rivals) if self.rivals.solved[one].combines]
        if name is None or name in safe or not safe or config.model.solved != (name,):
            return config, network
        if not self._may_leave_out(config) or "blend" in config.asked:
            return config, network
        other = self.rivals.solved[safe[0]].to(self.device)
        mixed = weigh(self._reference(config, network), other, most=True)
        if mixed is None or not mixed.share:
            return config, network
        if mixed.share == 1:
            return self._alone(config, safe[0], f"no other is better on validation: {mixed.say()}")
        return self._mixed(config, network, other, safe[0], mixed)

    def _mixed(
        self, config: RunConfig, network: Model, other: SolvedModel, name: str, mixed: Mixed
    ) -> tuple[RunConfig, Model]:
        assert self.task.mixing is not None
        together = Combined(network, other, self.task.mixing)
        together.share.fill_(mixed.share)
        config = _with_options(_with_model(config, blend=(*config.model.blend, name)), other, name)
        reason = f"a share of {mixed.share:g}: {mixed.say()}"
        choice = Choice(field="blend", value=name, source="blend", reason=reason)
        return _planned(config, choice, self.say), together.to(self.device).eval()

    def _alone(self, config: RunConfig, name: str, reason: str) -> tuple[RunConfig, Model]:
        """A solved model in place of all that there is."""
        model = self.rivals.solved[name].to(self.device)
        config = _with_options(_with_model(_before_its_end(config), only=name), model, name)
        return _planned(config, Choice(field="only", value=name, source="blend", reason=reason), self.say), model

    def _reference(self, config: RunConfig, network: Model) -> Reference:
        return Reference(network, self.task, self.valid, config.training, self.device)

    def _may_leave_out(self, config: RunConfig) -> bool:
        """Whether the network may be left out: nobody asked for it, and no other run is to start from it."""
        asked = {"model", "only", "vectors"} & {*config.asked}
        return not asked and config.training.plan != FIXED and not self.task.pretrains

    def _on_valid(self, name: str) -> float:
        return self.rivals.on_valid[self.rivals.solved[name].name][self.task.chooses]


def _ranked(config: RunConfig, task: Task, rivals: Rivals) -> list[str]:
    """The solved models that the run may use, the best on the validation data first."""
    values = {
        name: cost(task.chooses, rivals.on_valid.get(model.name, {}).get(task.chooses, math.nan))
        for name, model in rivals.solved.items()
        if not (config.model.live and model.cannot_stream)
    }
    return sorted((name for name, value in values.items() if value == value), key=lambda one: (values[one], one))


def _asked_alone(config: RunConfig) -> bool:
    """Whether the user asked for a certain solved model."""
    return "only" in config.asked and config.model.alone is not None


def _before_its_end(config: RunConfig) -> RunConfig:
    """Without what is decided at the end of a run."""
    model = {name: ModelConfig.model_fields[name].default for name in ("only", "blend") if name not in config.asked}
    plan = tuple(choice for choice in config.plan if choice.source != "blend")
    return _with_model(config, **model).model_copy(update={"plan": plan})


def solved_again(config: RunConfig, network: Model, solved: Mapping[str, SolvedModel]) -> tuple[RunConfig, Model]:
    """The solved models in ``network`` replaced by those of the same names; the configuration with their sizes.

    Args:
        config: of the run; it says which solved models the network has.
        network: a model as `Composer.compose` gave it; it is changed, unless it is replaced as a whole.
        solved: name -> solved model, such as of more data; one that is missing does not apply to more data, and stays
            as it is.
    """
    part, outer = network, None
    for name in (name for name in config.model.blend[::-1] if name != NONE):
        assert isinstance(part, Combined)
        if name in solved:
            part.replace(solved[name])
            config = _with_options(config, solved[name], name)
        part, outer = part.network, part
    base = config.model.alone or config.model.origin
    if base is None or base not in solved:
        return config, network
    if config.model.alone is None:
        assert isinstance(part, Combined)
        part.replace(solved[base])
    elif outer is None:
        network = solved[base]
    else:
        outer.network = solved[base]
    return _with_options(config, solved[base], base), network


def _check_blend(config: RunConfig, task: Task, rivals: Rivals) -> None:
    """Refuse a mixture that cannot be made before hours of training."""
    for name in config.model.blend:
        if name == NONE:
            continue
        if task.mixing is None:
            raise UsageError(
                f"{named('blend')} {name}: the answers of the task {task.name!r} cannot be mixed, so leave it out"
            )
        if not rivals.on_valid:
            raise UsageError(f"{named('blend')} {name}: its share is chosen on validation data, and there is none")
        rivals.solved_by(name, task)


def _with_options(config: RunConfig, solved: SolvedModel, name: str) -> RunConfig:
    """``config`` with the sizes of a solved model, so that it can be rebuilt."""
    own = {**config.model.own, f"solved.{name}": solved.options.model_dump(mode="json")}
    return _with_model(config, own=own)


def _with_model(config: RunConfig, **values: Any) -> RunConfig:
    return config.model_copy(update={"model": config.model.model_copy(update=values)})


def _planned(config: RunConfig, choice: Choice, say: Say) -> RunConfig:
    say(choice.say())
    return config.model_copy(update={"plan": (*config.plan, choice)})
