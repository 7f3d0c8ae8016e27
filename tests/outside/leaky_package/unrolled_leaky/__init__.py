"""A package that adds one member of each kind to Unrolled, one file each."""
