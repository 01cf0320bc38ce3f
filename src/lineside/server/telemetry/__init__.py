"""Telemetry: the results devices publish, checked, stored once, the newest kept."""
