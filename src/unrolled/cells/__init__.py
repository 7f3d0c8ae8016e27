"""Recurrent cells: one step of a recurrence, a pure function of an input and a state, with its own weights."""
