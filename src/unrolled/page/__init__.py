"""Pages and pictures: one HTML file that works offline, made of sections, and charts as SVG; nothing is loaded."""
