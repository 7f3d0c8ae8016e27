"""Runs: planning, training, resuming, opening and using models; each run is a directory."""
