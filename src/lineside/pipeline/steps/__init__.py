"""The steps of a run, one a file: typed inputs in, typed outputs out; blobs by digest, small values as they are."""
