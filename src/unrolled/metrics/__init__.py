"""What is measured: one file for each metric. Tasks and baselines run the same programs on the same answers."""
