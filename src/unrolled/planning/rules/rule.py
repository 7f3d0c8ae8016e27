"""The protocol of rules: facts about the data to choices with their reasons, and to alternatives. Rules are pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from unrolled.planning.choice import Choice
from unrolled.planning.facts import Facts
from unrolled.registry import Registry

__all__ = ["RULES", "Passes", "Rules", "Values", "Wishes", "choices_for", "others_for", "rule"]

RULES = Registry("rule")

Passes = Callable[[Mapping[str, Any]], float]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for.

    Attributes:
        given: the options that the user gave, by name; a rule never chooses them, but may read them.
        live: the model must answer step by step.
        passes: how often the budget lets the training data be read with the given values of options.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    live: bool = False
    passes: Passes = lambda _: 10.0


Values = Mapping[str, Any]  # option -> value


class Rule(Protocol):
    """From facts to choices."""

    def __call__(self, facts: Facts, wishes: Wishes) -> Iterator[Choice]:
        """The choices, those that others depend on first."""


class Others(Protocol):
    """From choices to other ones that may be better, of which a race tells."""

    def __call__(self, facts: Facts, chosen: Values) -> Iterator[dict[str, Any]]:
        """What each alternative has in place of what was chosen, the likeliest first."""


def none(facts: Facts, chosen: Values) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - as every function of its kind
    """No alternatives."""
    return iter(())


class Rules(NamedTuple):
    """The rules for a form of target. A file in ``planning/rules/`` with a line ``MEMBER = Rules(…)`` is a rule.

    It has the name of the form.
    """

    choices: Rule
    others: Others = none


def choices_for(facts: Facts, wishes: Wishes) -> tuple[Choice, ...]:
    """What the rules choose, without what the user chose.

    Args:
        facts: about the data.
        wishes: of the user.
    """
    if facts.form not in RULES:  # a form of another package
        return ()
    found: Rules = RULES.get(facts.form)
    return tuple(choice for choice in found.choices(facts, wishes) if choice.field not in wishes.given)


def others_for(facts: Facts, given: Values, chosen: Values) -> list[dict[str, Any]]:
    """Alternatives to what was chosen: other networks, then the learning rate twice and half as high.

    Args:
        facts: about the data.
        given: what the user chose, which no alternative changes.
        chosen: option -> value, of the user and of the rules.
    """
    if facts.form not in RULES:
        return []
    found: Rules = RULES.get(facts.form)
    rates = [{"lr": float(f"{factor * chosen['lr']:.3g}")} for factor in (2, 0.5) if "lr" in chosen]
    return [values for values in (*found.others(facts, chosen), *rates) if not values.keys() & given.keys()]


def rule(name: str, value: Any, reason: str) -> Choice:
    """A choice that a rule makes."""
    return Choice(field=name, value=value, source="rule", reason=reason)
