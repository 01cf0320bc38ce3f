"""Devices: how they join, what each should run, and what each says it runs."""
