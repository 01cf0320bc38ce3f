"""Logs on a device: written, rotated, read while they are written."""
