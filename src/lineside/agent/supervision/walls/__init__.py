"""What a component's processes are held by: cgroups or rlimits, another user, a sandbox."""
