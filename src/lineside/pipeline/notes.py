"""What is written into ONNX files that are made here, beside the graph (its `metadata_props`)."""

SIGNATURE_NOTE = "lineside.signature"
"""The signature as JSON: how the file is fed and read, for whoever finds the file alone."""
