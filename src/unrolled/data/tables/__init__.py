"""From any source to sequences: reading, grouping, checking and splitting."""
