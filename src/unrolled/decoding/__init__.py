"""Programs over a model's step and state: sampling and generation."""
