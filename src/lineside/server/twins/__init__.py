"""Twins: the test that a model must pass on simulated devices before a person is asked about it."""
