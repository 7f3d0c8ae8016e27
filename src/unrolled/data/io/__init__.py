"""Bytes, folders, fingerprints, memory maps and timestamps."""
