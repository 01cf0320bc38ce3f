"""Uploads held to what was announced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lineside.contract.errors import LinesideError


def exactly(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The pieces, refused as soon as they are too many, or too few at the end."""
    seen = 0
    for piece in pieces:
        seen += len(piece)
        if seen > size:
            raise LinesideError("ticket.wrong_size", actual=f"over {size}", expected=size)
        yield piece
    if seen < size:
        raise LinesideError("ticket.wrong_size", actual=seen, expected=size)
