"""Lineside trains vision models, ships them to fleets of edge devices, runs them there, brings back what they saw."""

__version__ = "0.1.0"
