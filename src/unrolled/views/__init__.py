"""Views: what there is to see in a row that a model has read, as sections of a page."""
