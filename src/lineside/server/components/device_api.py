"""Devices' API of the components room: signed metadata, recipes, artifacts."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from lineside.server.components.downloads import Downloads
from lineside.server.devices.guard import QUARANTINED


@get(
    "/tuf/{name:str}",
    opt=QUARANTINED,
    media_type="application/json",
    sync_to_thread=True,
    summary="A TUF metadata file",
)
def get_metadata(name: FromPath[str], downloads: NamedDependency[Downloads]) -> bytes:
    """`timestamp.json`, or a version and a role: `3.snapshot.json`."""
    return downloads.metadata(name)


@get(
    "/targets/{target:path}",
    opt=QUARANTINED,
    media_type="application/json",
    sync_to_thread=True,
    summary="A signed recipe",
)
def get_target(target: FromPath[str], downloads: NamedDependency[Downloads]) -> bytes:
    """By its TUF target path, with or without the hash of consistent snapshots before the file name."""
    return downloads.recipe(str(target).lstrip("/"))


@get("/artifacts/{digest:str}", sync_to_thread=True, summary="An artifact of a component this device should run")
def get_artifact(
    digest: FromPath[str],
    request: Request[Any, Any, Any],
    caller: NamedDependency[str],
    downloads: NamedDependency[Downloads],
) -> Response[Any]:
    """The bytes of `sha256:<hex>`; one byte range is answered with 206."""
    part = downloads.artifact(caller, digest, request.headers.get("range"))
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(part.length)}
    if part.partial:
        headers["Content-Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{part.size}"
    return Stream(
        part.chunks,
        status_code=206 if part.partial else 200,
        headers=headers,
        media_type="application/octet-stream",
    )


routes = [get_metadata, get_target, get_artifact]
