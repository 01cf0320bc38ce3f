"""Captures: images devices kept, announced by a record and sent once by a ticket that can do nothing else."""
