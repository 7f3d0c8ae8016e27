"""The protocol of rules: facts about the data to choices, each with its reason. Rules are pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from unrolled.planning.choice import Choice
from unrolled.planning.facts import Facts
from unrolled.registry import Registry

__all__ = ["RULES", "Passes", "Rule", "Wishes", "choices_for", "rule"]

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


class Rule(Protocol):
    """A function from facts to choices. A file in ``planning/rules/`` with a line ``MEMBER = function`` is a rule.

    It has the name of the form of target that it is for.
    """

    def __call__(self, facts: Facts, wishes: Wishes) -> Iterator[Choice]:
        """The choices, those that others depend on first."""


def choices_for(facts: Facts, wishes: Wishes) -> tuple[Choice, ...]:
    """What the rules choose, without what the user chose.

    Args:
        facts: about the data.
        wishes: of the user.
    """
    if facts.form not in RULES:  # a form of another package
        return ()
    found: Rule = RULES.get(facts.form)
    return tuple(choice for choice in found(facts, wishes) if choice.field not in wishes.given)


def rule(name: str, value: Any, reason: str) -> Choice:
    """A choice that a rule makes."""
    return Choice(field=name, value=value, source="rule", reason=reason)
