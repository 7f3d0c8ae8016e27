"""Sounds, spectra, pictures and videos, decoded within bounds."""
