"""Live sessions: push one step, get one answer."""
