"""Time: everything that turns a sequence of vectors into a sequence of vectors, or into one."""
