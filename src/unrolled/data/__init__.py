"""Files → sequences → batches; never sees a network."""
