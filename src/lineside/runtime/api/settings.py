"""What a component's configuration says about the local API."""

from __future__ import annotations

import ipaddress

import msgspec

from lineside.contract.errors import LinesideError


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`socket`: on the unix socket `api.sock` in the work folder. `port`: on a TCP port of the loopback interface, too;
    0 is none. There is no way to offer it to other machines."""

    socket: bool = True
    port: int = 0
    host: str = "127.0.0.1"  # or ::1


def loopback(settings: ApiSettings) -> str:
    """The loopback address to listen on. Raises `api.not_loopback` for any other address, `api.port_invalid`."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if settings.host == "localhost" else settings.host)
    except ValueError as error:
        raise LinesideError("api.not_loopback", host=settings.host[:80]) from error
    if not address.is_loopback:
        raise LinesideError("api.not_loopback", host=settings.host[:80])
    if not 0 <= settings.port < 65536:
        raise LinesideError("api.port_invalid", port=settings.port)
    return str(address)
