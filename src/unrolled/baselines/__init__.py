"""What a deep model must beat: one file each."""
