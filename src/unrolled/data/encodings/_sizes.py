"""The size that all pictures of a column are resized to."""

from __future__ import annotations

import re

import numpy as np

from unrolled.config import Part, option
from unrolled.errors import UsageError, named

__all__ = ["SizeOptions", "size_of"]

_DEFAULT_SIDE = 64  # most pixels of the longer side by default


class SizeOptions(Part):
    """The option for pictures and for the frames of videos."""

    image_size: str | None = option(
        None,
        "Resize pictures to this size: 32, or 48x32 for width x height. Default: the median size, at most 64.",
        pattern=r"^[1-9]\d{0,2}(x[1-9]\d{0,2})?$",
        examples=("32", "48x32 (of 1-999 pixels)"),
        also=("img_size", "input_shape", "resize", "target_size"),
    )


def size_of(asked: str | None, found: np.ndarray, patch: int) -> tuple[int, int]:
    """H and W: those of ``asked``, or the median of ``found`` (rows, 2), rounded to a multiple of ``patch``.

    Raises:
        UsageError: ``asked`` cannot be divided into patches, or a patch is larger than the pictures.
    """
    if asked is not None:
        width, height = (int(side) for side in (re.split("x", asked) * 2)[:2])
        _check_patch(patch, height, width)
        if height % patch or width % patch:
            near = "x".join(str(max(patch, round(side / patch) * patch)) for side in (width, height))
            raise UsageError(f"{named('image_size')} {asked} cannot be divided into patches of {patch}; use {near}")
        return height, width
    median = np.median(found, 0)
    median *= min(1.0, _DEFAULT_SIDE / median.max())
    _check_patch(patch, *(max(1, round(side)) for side in median.tolist()))
    height, width = (int(max(1, round(side / patch)) * patch) for side in median.tolist())
    return height, width


def _check_patch(patch: int, height: int, width: int) -> None:
    if patch > max(height, width):
        raise UsageError(
            f"{named('image')} patches:{patch} is larger than the pictures, which are resized to {width}x{height}; "
            f"use smaller patches, or a larger {named('image_size')}"
        )
