"""Drift as the control plane sees it: windows that devices tell of, alarms, and what models are worth in the field."""
