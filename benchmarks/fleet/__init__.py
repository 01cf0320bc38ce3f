"""A fleet of simulated devices against a real control plane: see `benchmarks.fleet.__main__`."""
