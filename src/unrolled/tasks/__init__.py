"""Tasks: what is asked of a sequence, one file each."""
