"""The textbook in NumPy: every cell's equations, and backpropagation through time by hand. Start with ``rnn.py``."""
