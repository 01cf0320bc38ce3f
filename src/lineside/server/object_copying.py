"""Copies a root's objects into a bucket: `lineside objects copy`, which runs it as a program.

    python -m lineside.server.object_copying ROOT s3://BUCKET/PREFIX?…

It prints {"copied": …, "there": …, "bytes": …, "damaged": […]}, or {"error": …}. Every object is read and must have its
digest; one that is there already with its size is left. Objects never change, so the control plane may run meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest
from lineside.server.adapters.object_rules import CHUNK
from lineside.server.adapters.objects import ObjectStore
from lineside.server.object_setup import open_objects
from lineside.server.settings import Settings


@dataclass
class Copied:
    """How many objects were copied and were there already, the bytes copied, and files that are not what they say."""

    copied: int = 0
    there: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)


def copy(folder: Path, target: ObjectStore) -> Copied:
    """Copy every object below R/objects. Raises what the target does."""
    done = Copied()
    for file in sorted((folder / "sha256").glob("??/*")):
        digest, size = f"sha256:{file.name}", file.stat().st_size
        if not is_digest(digest) or not _sound(file, digest):
            done.damaged.append(str(file))
        elif target.exists(digest) and target.size(digest) == size:
            done.there += 1
        else:
            target.put(_pieces(file), expected=digest)
            done.copied, done.bytes = done.copied + 1, done.bytes + size
    return done


def main(root: Path, url: str) -> int:
    """The exit status: 0 also when files were damaged, which are named."""
    try:
        if not (root / "objects").is_dir():
            raise LinesideError("objects.none", folder=root / "objects")
        settings = Settings(objects_url=url, objects_credentials=os.environ.get("LINESIDE_OBJECTS_CREDENTIALS", ""))
        with tempfile.TemporaryDirectory(prefix="lineside-copy-") as spare:
            _say(copy(root / "objects", open_objects(Path(spare), settings)))
    except LinesideError as error:
        _say({"error": error.report()})
        return 1
    return 0


def _sound(file: Path, digest: str) -> bool:
    with file.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}" == digest


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK):
            yield piece


def _say(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2]))
