"""Numbers with their nouns, as every room's sentences have them. Pure."""

from __future__ import annotations


def counted(count: int, noun: str, nouns: str = "") -> str:
    """`1 device`, `3 devices`; `nouns` is a plural that is not the noun with an s."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"
