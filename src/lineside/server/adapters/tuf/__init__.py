"""The TUF repository that devices believe (TUF specification 1.0, python-tuf's metadata API)."""

from lineside.server.adapters.tuf.draft import Draft, NewTarget
from lineside.server.adapters.tuf.repository import Repository
from lineside.server.adapters.tuf.shelf import DatabaseShelf, FolderShelf, Shelf, move_in, open_shelf
from lineside.server.adapters.tuf.signed import SignedFile

__all__ = [
    "DatabaseShelf",
    "Draft",
    "FolderShelf",
    "NewTarget",
    "Repository",
    "Shelf",
    "SignedFile",
    "move_in",
    "open_shelf",
]
