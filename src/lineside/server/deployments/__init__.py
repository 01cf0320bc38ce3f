"""Deployments: which components a group of devices should run."""
