"""One file per kind of column: how it becomes numbers, and how numbers become what a user wrote."""
