"""Pages: one HTML file that works offline, made of sections; nothing is loaded from anywhere."""
