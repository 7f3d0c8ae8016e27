"""Where a network trains, is judged and answers: on the CPU, or on a GPU."""

from __future__ import annotations

import torch

from unrolled.errors import UsageError, named

__all__ = ["device_for"]


def device_for(asked: str) -> str:
    """The device that ``asked`` means here: ``cpu`` or ``cuda``; with ``auto`` a GPU, if torch sees one.

    Raises:
        UsageError: it is none of the three, or ``cuda`` where torch sees no GPU.

    Example:
        >>> device_for("cpu")
        'cpu'
    """
    if asked not in ("auto", "cpu", "cuda"):
        raise UsageError(f"{named('device')} must be auto, cpu or cuda, not {asked!r}")
    seen = torch.cuda.is_available()
    if asked == "cuda" and not seen:
        raise UsageError(f"{named('device')} is cuda, but torch sees no GPU here: use cpu")
    return "cuda" if seen and asked != "cpu" else "cpu"
