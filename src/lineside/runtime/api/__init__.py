"""The local HTTP API: other programs on the device ask the runtime's models, by the Open Inference Protocol v2.

`server` (sockets, connections, limits; HTTP itself is h11's) ► `routes` (an address to what answers it) ► `messages`
and `tensors` (JSON and the binary tensor extension) ► `inference` ► the models of this process.

Why h11 and threads: it is one package of pure Python without dependencies that is strict about HTTP, and a device's few
local callers wait for the model, not for the server. uvicorn would bring an event loop and three more packages into
every device; `http.server` parses leniently and bounds neither bodies nor connections.
"""
