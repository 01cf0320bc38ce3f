"""Webhooks: others are told of what changes here, signed, again until they have taken it."""
