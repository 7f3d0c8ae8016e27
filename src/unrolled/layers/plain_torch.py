"""What a layer is in plain torch, for an export that runs without this package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Plain", "sizes_of"]


@dataclass(frozen=True, slots=True)
class Plain:
    """A layer as a program of plain torch with settings and weights.

    Attributes:
        program: ``export/folder/plain_{program}.py`` has a class ``Layer`` that computes the same.
        settings: what the class is made with, as JSON would have it.
        weights: by their names in that class.
    """

    program: str
    settings: Mapping[str, Any]
    weights: Mapping[str, Tensor]


def sizes_of(layers: Iterable[nn.Module], first: int) -> list[int]:
    """The widths between the linear maps among ``layers``, from that of their input, ``first``, on."""
    maps = [one for one in layers if isinstance(one, nn.Linear)]
    return [first, *(one.out_features for one in maps)]
