"""Keeping components running: processes, lifecycle steps, probes, logs."""
