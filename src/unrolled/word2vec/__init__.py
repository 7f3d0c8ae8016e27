"""Vectors of words, learned from running text alone: skip-gram and CBOW with negative sampling."""
