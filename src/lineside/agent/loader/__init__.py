"""Changing the agent itself: a tiny loader that is never updated chooses which agent to start, and goes back."""
