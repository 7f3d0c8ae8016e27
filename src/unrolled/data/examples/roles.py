"""Who is who among the columns of a table, once a task has been chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from unrolled.data.forms.base import TargetForm

__all__ = ["Roles"]


@dataclass(frozen=True, slots=True)
class Roles:
    """Who is who among the columns.

    Attributes:
        inputs: what the network reads.
        target: what it answers; one of the inputs where the form continues it.
        form: how the target answers the inputs.
        kinds: kinds that the question gives to columns, over those that were inferred.
        joined: numeric columns that together are the target, one channel each.
        ahead: the inputs that a forecast knows as far ahead as it looks.
        by_window: each window of a forecast is scaled by its own mean and deviation.
        shared: the texts that are read and those that are written have one vocabulary.
    """

    inputs: tuple[str, ...]
    target: str
    form: TargetForm
    kinds: dict[str, str] = field(default_factory=dict)
    joined: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    by_window: bool = False
    shared: bool = False
