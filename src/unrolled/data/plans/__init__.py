"""Plans: which steps of which rows each batch holds."""
