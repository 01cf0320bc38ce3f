"""Dataset versions: read from a folder of blobs, checked, split without leaks, named by their content."""
