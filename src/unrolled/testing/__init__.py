"""For those who write members: hold a cell, a layer, an encoding or a reader to the contracts of its kind."""

from unrolled.testing.member import check_member

__all__ = ["check_member"]
