"""Choosing what a user leaves open: facts about the data, rules over them, a short race, a mixture."""
