"""PKCS#11 URIs (RFC 7512): which token, which object, and where its PIN is.

    pkcs11:token=line;object=device?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/lineside/pin

The PIN comes from a file. `pin-value` is refused: whoever lists the processes of the device would read it.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

import msgspec

from lineside.contract.errors import LinesideError

SCHEME = "pkcs11:"
_TOKEN = {"token": "label", "manufacturer": "manufacturer", "model": "model", "serial": "serial"}
_PROXIES = (
    "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so",
    "/usr/lib/aarch64-linux-gnu/p11-kit-proxy.so",
    "/usr/lib/arm-linux-gnueabihf/p11-kit-proxy.so",
    "/usr/lib64/p11-kit-proxy.so",
)
"""Where distributions put p11-kit's proxy, which knows the modules of the system."""


class TokenUri(msgspec.Struct, frozen=True, kw_only=True):
    """What a URI says. Attributes that are not there match every token."""

    label: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    object: str = "lineside"
    id: bytes | None = None
    module: str
    pin_file: Path | None = None


def parse(text: str) -> TokenUri:
    """Read a URI. Raises `key.uri_invalid`."""
    if not text.lower().startswith(SCHEME):
        raise LinesideError("key.uri_invalid", uri=text, why="it does not begin with pkcs11:")
    path, _, query = text[len(SCHEME) :].partition("?")
    wanted, options = _pairs(text, path, ";"), _pairs(text, query, "&")
    if "pin-value" in options:
        shown = text.partition("?")[0]
        raise LinesideError(
            "key.uri_invalid", uri=shown, why="a PIN in it can be read by everybody; use pin-source=FILE"
        )
    unknown = wanted.keys() - {*_TOKEN, "object", "id", "type"}
    if unknown:
        raise LinesideError("key.uri_invalid", uri=text, why=f"{', '.join(sorted(unknown))} cannot be said here")
    if not wanted.keys() & _TOKEN.keys():
        raise LinesideError("key.uri_invalid", uri=text, why="it names no token")
    if wanted.get("type", "private") != "private":
        raise LinesideError("key.uri_invalid", uri=text, why="its type is not private")
    source = unquote(options.get("pin-source", "")).removeprefix("file://").removeprefix("file:")
    named = {_TOKEN[key]: unquote(value) for key, value in wanted.items() if key in _TOKEN}
    return TokenUri(
        **named,
        object=unquote(wanted.get("object", "lineside")),
        id=unquote_to_bytes(wanted["id"]) if "id" in wanted else None,
        module=unquote(options.get("module-path", "")) or _proxy(text),
        pin_file=Path(source) if source else None,
    )


def _pairs(text: str, part: str, separator: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in filter(None, part.split(separator)):
        name, equals, value = one.partition("=")
        if not equals or not value or name in found:
            raise LinesideError("key.uri_invalid", uri=text, why=f"{one!r} is no single NAME=VALUE")
        found[name] = value
    return found


def _proxy(text: str) -> str:
    for path in _PROXIES:
        if Path(path).exists():
            return path
    raise LinesideError("key.uri_invalid", uri=text, why="it names no module-path, and p11-kit is not installed")
