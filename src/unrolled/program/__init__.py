"""One step of a model as instructions over vectors, which an exporter writes down in another language."""
