"""Background loops, one a file: each step is safe to repeat, and exactly one process runs each loop (`lease`)."""
