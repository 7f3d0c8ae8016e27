"""Music as notes: reading ABC and MIDI, checking and comparing tunes, and writing notation, sound and pictures."""
