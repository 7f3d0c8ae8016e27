"""Synthetic data without end, whose best possible answer is known."""
