"""Exports: a dataset version as a folder that other programs read, and that reads back as the same version."""

from __future__ import annotations

import msgspec

from lineside.contract.dataset import Counted


class ExportListing(msgspec.Struct, frozen=True, kw_only=True):
    """The folder as a list of its files by content; the bytes are blobs. `warnings` say what the format cannot."""

    dataset: str
    format: str
    files: dict[str, str]  # path relative to the folder, with "/" -> digest
    warnings: tuple[Counted, ...] = ()
