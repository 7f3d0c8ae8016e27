"""Word vectors learned from plain text: skip-gram and CBOW with negative sampling."""
