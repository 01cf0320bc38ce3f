"""Trust: whose keys decide what devices install, and the ceremonies that change signed metadata."""
