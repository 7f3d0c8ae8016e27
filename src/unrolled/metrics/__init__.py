"""Metrics, one file each, computed in the same way for tasks and baselines."""
