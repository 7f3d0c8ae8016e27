"""Tests for your own members: check a cell, a layer, an encoding, a reader, … against the contracts of its kind."""

from unrolled.testing.member import check_member

__all__ = ["check_member"]
