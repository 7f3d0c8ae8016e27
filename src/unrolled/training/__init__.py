"""Training: the loop, its options, checkpoints, evaluation and backtests."""
