"""Drift: what this device sees and says, in small windows, held against what is usual."""
