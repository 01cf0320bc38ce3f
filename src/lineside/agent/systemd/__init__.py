"""Running under systemd: a unit, readiness, a watchdog. Without systemd none of it does anything."""
