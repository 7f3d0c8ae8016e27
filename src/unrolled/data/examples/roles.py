"""Which part each column of a table plays in the chosen task."""

from __future__ import annotations

from dataclasses import dataclass, field

from unrolled.data.forms.form import TargetForm

__all__ = ["Roles"]


@dataclass(frozen=True, slots=True)
class Roles:
    """Which part each column plays.

    Attributes:
        inputs: the columns that the network reads.
        target: the column to predict; one of the inputs where the form continues it.
        form: how the target answers the inputs.
        kinds: kinds that the task sets for columns, in place of the inferred ones.
        joined: numeric columns that together make the target, one channel each.
        ahead: the inputs that are known covariates of a forecast.
        by_window: each window of a forecast is scaled by its own mean and deviation.
        shared: the input texts and the target texts share one vocabulary.
    """

    inputs: tuple[str, ...]
    target: str
    form: TargetForm
    kinds: dict[str, str] = field(default_factory=dict)
    joined: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    by_window: bool = False
    shared: bool = False
