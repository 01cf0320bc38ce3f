"""The disk's test double: what an agent writes is recorded inside its own process, so that a test can take away what a
power cut could take, or let the disk refuse."""
