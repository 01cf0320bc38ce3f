"""What every part of the client shares: the connection."""

from __future__ import annotations

from lineside.client.connection import Connection


class Calls:
    """Some operations of people's API. `Client` is all parts together."""

    connection: Connection
