"""The Python SDK: one seam (`Connection`), one method for one API operation (`Client`).

    from lineside.client import Client
    with Client("http://127.0.0.1:8400") as client:
        for device in client.devices():
            print(device.name, device.summary)

Errors are `LinesideError`: `RemoteError` carries what the control plane said; `client.unreachable`: nobody answered.
"""

from lineside.client.client import Client
from lineside.client.connection import Connection

__all__ = ["Client", "Connection"]
