"""The option that tasks which write a sequence share."""

from __future__ import annotations

from unrolled.config import Part, option

__all__ = ["BeamOptions"]


class BeamOptions(Part):
    """The option of tasks that write a sequence."""

    beam: int = option(
        4,
        "Beam width: hypotheses that are kept while a sequence is written; 1 is greedy.",
        ge=1,
        le=1_000,
        also=("num_beams", "beam_width", "beam_size"),
    )
