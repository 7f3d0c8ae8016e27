"""Inspect a model: its parts, its costs, and how far back it remembers."""
