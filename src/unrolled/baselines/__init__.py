"""Baselines: simple methods that a trained model should beat, one file each."""
