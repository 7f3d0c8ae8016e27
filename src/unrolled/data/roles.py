"""Who is who among the columns of a table, once a task has been chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from unrolled.data.examples import Form

__all__ = ["Roles"]


@dataclass(frozen=True, slots=True)
class Roles:
    """Who is who among the columns.

    Attributes:
        inputs: what the network reads.
        target: what it answers; for ``next``, ``horizon`` and ``fill`` one of the inputs.
        form: how the target answers the inputs (see `Examples`).
        kinds: kinds that the question gives to columns, over those that were inferred.
        joined: numeric columns that together are the target, one channel each.
        ahead: the inputs that a forecast knows as far ahead as it looks.
    """

    inputs: tuple[str, ...]
    target: str
    form: Form
    kinds: dict[str, str] = field(default_factory=dict)
    joined: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
