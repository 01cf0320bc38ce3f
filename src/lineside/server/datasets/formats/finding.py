"""Where the image is that an annotation names, by a path or by an address in somebody else's storage."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.folder import Folder, is_outside

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]*/")
_UPLOADED = re.compile(r"[0-9a-f]{8}-")  # what Label Studio puts before the names of uploads
_LONGEST = 4096  # characters of a path


def locate(folder: Folder, file: str, reference: str, warnings: Warnings) -> str | None:
    """The path of an image: as written, beside the annotations or from the folder's top, else the file whose path ends
    in most of the same parts. Raises `dataset.name_ambiguous`; counts what is missing, too long or leads outside."""
    if len(reference) > _LONGEST:
        warnings.add("dataset.image_path_refused", f"{reference[:200]}…", reference)
        return None
    name = reference.replace("\\", "/").removeprefix("./")
    if is_outside(name):
        warnings.add("dataset.image_path_refused", reference)
        return None
    home = PurePosixPath(file).parent
    found = folder.first((str(home / name), name)) or _by_tail(folder, file, name)
    if found is None:
        warnings.add("dataset.image_missing", reference)
    return found


def from_address(reference: str) -> str:
    """The path within an address: `s3://bucket/a/b.jpg` is `a/b.jpg`. A path stays one."""
    return _ADDRESS.sub("", reference, count=1) if _ADDRESS.match(reference) else reference


def from_label_studio(reference: str) -> str:
    """The path within Label Studio's addresses: uploads (`/data/upload/1/0123abcd-a.jpg`), local files
    (`/data/local-files/?d=a/b.jpg`), buckets."""
    parts = urlsplit(reference) if reference.startswith("/data/") else None
    if parts is None:
        return from_address(reference)
    inside = parse_qs(parts.query).get("d", [""])[0]
    return inside or unquote(parts.path).removeprefix("/data/")


def _by_tail(folder: Folder, file: str, name: str) -> str | None:
    parts = name.split("/")[-folder.depth :]  # no file's path ends in more of them
    tails = ("/".join(parts[start:]) for start in range(len(parts)))
    for tail in chain(tails, [_UPLOADED.sub("", parts[-1], count=1)]):
        found = folder.ending(tail)
        if len(found) > 1:
            raise LinesideError("dataset.name_ambiguous", file=file, name=name, first=found[0], second=found[1])
        if found:
            return found[0]
    return None
