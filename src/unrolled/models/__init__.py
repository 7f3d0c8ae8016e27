"""Models: one file for each architecture, and what builds and runs them."""
