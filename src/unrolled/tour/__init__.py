"""The tour: four tiny models are trained, and a page walks through what a course says of them, with their numbers."""
