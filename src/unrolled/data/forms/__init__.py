"""Forms of target: how a target answers its inputs, one file each."""
