"""The loop that trains a model, and what stands around it."""
