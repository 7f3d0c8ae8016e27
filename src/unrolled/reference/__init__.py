"""Reference implementations in NumPy: every cell's equations, with hand-written gradients. Start with ``rnn.py``."""
