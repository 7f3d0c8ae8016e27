"""The choice of the device, CPU or GPU, for training, evaluation and prediction."""

from __future__ import annotations

import torch

from unrolled.errors import UsageError, named

__all__ = ["device_for"]


def device_for(asked: str) -> str:
    """The device to use, ``cpu`` or ``cuda``; ``auto`` chooses a GPU if torch finds one.

    Raises:
        UsageError: ``asked`` is not auto, cpu or cuda, or is cuda although torch finds no GPU.

    Example:
        >>> device_for("cpu")
        'cpu'
    """
    if asked not in ("auto", "cpu", "cuda"):
        raise UsageError(f"{named('device')} must be auto, cpu or cuda, not {asked!r}")
    seen = torch.cuda.is_available()
    if asked == "cuda" and not seen:
        raise UsageError(f"{named('device')} is cuda, but torch finds no GPU; use cpu")
    return "cuda" if seen and asked != "cpu" else "cpu"
