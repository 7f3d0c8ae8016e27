"""Forms of target: how a target answers the inputs, one file each."""
