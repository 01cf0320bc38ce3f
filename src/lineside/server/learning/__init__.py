"""Loops that people applied: what is trained again, and what starts it."""
