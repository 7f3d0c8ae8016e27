"""The option for columns whose values may be missing."""

from __future__ import annotations

from typing import Literal

from unrolled.config import Part, option

__all__ = ["MissingOptions"]


class MissingOptions(Part):
    """The option for columns whose values may be missing."""

    missing: Literal["refuse", "impute"] = option(
        "refuse",
        "What to do with NaN: report an error, or fill it in and flag it. Empty cells are always filled and flagged.",
        also=("missing_values", "na", "nan", "impute", "fill_na"),
    )
