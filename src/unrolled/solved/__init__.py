"""Models that are solved in closed form, not trained by gradient descent."""
