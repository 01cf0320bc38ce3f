"""Rollouts: how a deployment reaches the devices of its group, wave by wave, on evidence."""
