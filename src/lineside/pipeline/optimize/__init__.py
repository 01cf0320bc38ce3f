"""Optimizing: other files of the same model (fp16, INT8, pixels as input), and the choice which of them ships."""
