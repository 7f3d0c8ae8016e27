"""The option of columns in which a value may be missing."""

from __future__ import annotations

from typing import Literal

from unrolled.config import Part, option

__all__ = ["MissingOptions"]


class MissingOptions(Part):
    """The option of columns in which a value may be missing."""

    missing: Literal["refuse", "impute"] = option(
        "refuse",
        "What to do with NaN: refuse the row, or fill it in and flag it. Empty cells are always filled in and flagged.",
        also=("missing_values", "na", "nan", "impute", "fill_na"),
    )
