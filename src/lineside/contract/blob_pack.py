"""Packs: many small blobs in one request, each after its digest (32 bytes) and its size (8 bytes, big-endian)."""

from __future__ import annotations

from collections.abc import Iterator

from lineside.contract.errors import LinesideError

_DIGEST, _SIZE = 32, 8


def before(digest: str, size: int) -> bytes:
    """What stands before a blob of `size` bytes."""
    return bytes.fromhex(digest.removeprefix("sha256:")) + size.to_bytes(_SIZE, "big")


def unpacked(pieces: Iterator[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The blobs of a pack that arrives in pieces of any size: digest and content, which is taken before the next is
    asked for. Raises `request.invalid` for a pack that ends too early."""
    arriving = _Arriving(pieces)
    while head := arriving.take(_DIGEST + _SIZE):
        yield f"sha256:{head[:_DIGEST].hex()}", arriving.pieces(int.from_bytes(head[_DIGEST:], "big"))


class _Arriving:
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def take(self, size: int) -> bytes:
        """The next `size` bytes; none at the end."""
        first = self._next()
        if not first:
            return b""
        self._rest = first
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes as they arrive."""
        while size > 0:
            piece = self._next()
            if not piece:
                raise LinesideError("request.invalid", why="the pack of blobs ends within one")
            yield piece[:size]
            self._rest, size = piece[size:], size - len(piece)

    def _next(self) -> bytes:
        piece, self._rest = self._rest, b""
        while not piece:
            arrived = next(self._pieces, None)
            if arrived is None:
                return b""
            piece = arrived
        return piece
