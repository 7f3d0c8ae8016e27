"""The plan of a run without the run: its facts, what the rules choose, and the command that repeats it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unrolled.data.io.fingerprint import MEMORY
from unrolled.errors import IN_MEMORY, command
from unrolled.page.notebook import cell, facts, grid, sentences
from unrolled.planning.choice import FIXED, Choice
from unrolled.planning.facts import Facts
from unrolled.runs.choosing import Pace, alternatives, in_words, with_choices
from unrolled.runs.config import RunConfig
from unrolled.runs.encode import choose_open, training_split
from unrolled.runs.options import of_networks, options_in
from unrolled.runs.plan import Say, plan_from_options

__all__ = ["Preview", "preview", "repeated"]


@dataclass(frozen=True, slots=True)
class Preview:
    """What `fit` would do, before it trains.

    Attributes:
        task: the task that fits the question.
        facts: what was measured of the data.
        choices: what the rules choose where the user left it open; the solved model to start from, and what is mixed
            in, are chosen later, on the validation data.
        seconds: of a training step on this machine, as planned and with each alternative that may race.
        repeat: the command that trains with exactly these choices.
    """

    task: str
    facts: Facts
    choices: tuple[Choice, ...]
    seconds: dict[str, float]
    repeat: str

    def __str__(self) -> str:
        lines = [f"task: {self.task}", *self.facts.say(), *(choice.say() for choice in self.choices)]
        if self.seconds:
            lines.append(f"a step: {', '.join(f'{value:.2g} s {name}' for name, value in self.seconds.items())}")
        return "\n".join([*lines, "", f"to repeat without choosing: {self.repeat}"])

    def _repr_html_(self) -> str:
        rows = [[choice.field, choice.value, choice.source, choice.reason] for choice in self.choices]
        steps = [(f"a step, {name}", f"{value:.2g} s") for name, value in self.seconds.items()]
        repeat = facts([*steps, ("to repeat without choosing", self.repeat)])
        plan = grid(["option", "value", "chosen by", "why"], rows)
        return cell(f"Plan for {self.task}", sentences(self.facts.say()), plan, repeat)

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        choices = [choice.model_dump(mode="json") for choice in self.choices]
        return {
            "task": self.task,
            "facts": asdict(self.facts),
            "plan": choices,
            "seconds": self.seconds,
            "repeat": self.repeat,
        }


def preview(source: Any, options: dict[str, Any], say: Say = lambda _: None) -> Preview:
    """Plan a run on ``source`` without training or writing anything.

    Args:
        source: a path, or a table in memory.
        options: as for `unrolled.fit`.
        say: receives lines about what was inferred.

    Raises:
        UsageError, DataError: as `unrolled.fit` would.
    """
    asked = plan_from_options(source, options, None, say)
    with tempfile.TemporaryDirectory() as folder:
        splits, coder, train = training_split(Path(folder), asked, say)
        config, facts = choose_open(asked, splits, coder, train)
        pace = Pace(config, coder, train)
        tried = [{}, *alternatives(config, facts)] if config.model.alone is None else []  # nothing else is trained
        seconds = {in_words(values): pace.seconds(with_choices(config, values, facts.writes)) for values in tried}
    return Preview(config.task.name, facts, config.plan, seconds, repeated(config))


def repeated(config: RunConfig) -> str:
    """The command, or the call, that makes the run again without choosing anything.

    Args:
        config: of a run with its plan.
    """
    given = options_in(config, [name for name in config.asked if name != "plan"])
    chosen = {choice.field: choice.value for choice in config.plan}
    if (mixed := _mixed(config.plan)) is not None:
        chosen["blend"] = mixed
    if config.model.alone is not None:
        given, chosen = ({n: v for n, v in each.items() if not of_networks(n)} for each in (given, chosen))
    source = IN_MEMORY.name if config.source == MEMORY else config.source
    return command(source, {**_plain(given), **chosen, "plan": FIXED})


def _mixed(plan: Sequence[Choice]) -> list[str] | None:
    names = [str(choice.value) for choice in plan if choice.field == "blend"]
    return names or None


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """Without what was given as empty or as nothing."""
    return {name: value for name, value in given.items() if value not in (None, (), [], {})}
