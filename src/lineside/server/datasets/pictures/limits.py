"""Which files are opened as pictures, and how large what is made of them: no decoder is needed to say so."""

from __future__ import annotations

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "MPO")
"""What is opened; formats that run programs of their own (EPS) are not."""

LARGEST = 256 << 20
"""Bytes of a file that is opened as a picture."""

THUMBNAIL = 240
"""Pixels of a thumbnail's longer side, at most."""

HEIGHT, WIDTH = 48, 72
"""Size of a patch in pixels."""

_BEGINNINGS = (b"\xff\xd8", b"\x89PNG", b"BM", b"II", b"MM", b"RIFF", b"GIF8", *(b"P%d" % n for n in range(1, 8)))


def may_be_picture(data: bytes | bytearray) -> bool:
    """Whether the first bytes are those of a format that is opened; a label file's are not."""
    return data.startswith(_BEGINNINGS)
