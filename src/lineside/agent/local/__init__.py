"""Deploying without the control plane: local deployments, offline bundles, a device that has joined nothing."""
