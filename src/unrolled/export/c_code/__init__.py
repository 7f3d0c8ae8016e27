"""What the exporter to C is made of: a model's step as a program, the program in C, and the files around it."""
