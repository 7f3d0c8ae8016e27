"""The beam width, an option of every task that writes a sequence."""

from __future__ import annotations

from unrolled.config import Part, option

__all__ = ["BeamOptions"]


class BeamOptions(Part):
    """The options of tasks that write a sequence."""

    beam: int = option(
        4,
        "Beam width: hypotheses kept during beam search; 1 is greedy.",
        ge=1,
        le=1_000,
        also=("num_beams", "beam_width", "beam_size"),
    )
