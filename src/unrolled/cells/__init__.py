"""One step of a recurrence: a pure function of an input and a state, with weights of its own."""
