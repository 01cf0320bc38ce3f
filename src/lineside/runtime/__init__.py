"""The runtime runs models on a device: source ► decode ► preprocess ► engine ► head ► sink.

The pipeline scores models through `model.load` and `Model.detect`, the very code that decides on devices. Importing
this package imports neither numpy nor onnxruntime; the modules that need them do.
"""
