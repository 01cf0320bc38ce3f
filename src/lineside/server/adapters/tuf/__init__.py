"""The TUF repository that devices believe (TUF specification 1.0, python-tuf's metadata API)."""

from lineside.server.adapters.tuf.draft import Draft, NewTarget
from lineside.server.adapters.tuf.mirror import keep_copy, take_newer
from lineside.server.adapters.tuf.repository import Repository
from lineside.server.adapters.tuf.shelf import DatabaseShelf, FolderShelf, Shelf, open_shelf
from lineside.server.adapters.tuf.signed import SignedFile

__all__ = [
    "DatabaseShelf",
    "Draft",
    "FolderShelf",
    "NewTarget",
    "Repository",
    "Shelf",
    "SignedFile",
    "keep_copy",
    "open_shelf",
    "take_newer",
]
