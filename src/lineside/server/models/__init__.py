"""Model versions: what was registered, and who decided what about it."""
