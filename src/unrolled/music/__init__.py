"""Tunes as notes: read from ABC, checked, compared, and written as sound and as a picture."""
