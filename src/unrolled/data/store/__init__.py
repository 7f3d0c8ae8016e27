"""Prepared data on the disk: encoded columns and held-out rows as files that are mapped."""
