"""Runs: what waits, what a worker does now, what came of it, and which steps need not be done again."""
