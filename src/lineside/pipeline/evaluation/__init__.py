"""Evaluation: scores with intervals, slices, the threshold that ships, mistakes, candidate against champion."""
