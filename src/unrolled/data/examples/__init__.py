"""From sequences to numbers: the roles of columns, the preprocessor, encoded examples."""
