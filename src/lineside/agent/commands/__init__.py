"""The agent's commands, a file for what belongs together. Each imports what it needs when it runs, not before."""
