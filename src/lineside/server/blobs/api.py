"""Blobs: bytes by digest, for people and workers. What devices may fetch and send has doors of its own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from lineside.contract.blob_pack import before, unpacked
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest
from lineside.contract.people import Permission
from lineside.server.access.caller import current
from lineside.server.access.permissions import needs
from lineside.server.blobs.uploads import received
from lineside.server.errors import AnyRequest
from lineside.server.services import Core, Room

_PACK = 50  # blobs in an answer: as many as a row of the audit trail can name
_FOREVER = "private, max-age=31536000, immutable"


class Digests(msgspec.Struct, frozen=True):
    """Digests somebody has the bytes of."""

    digests: list[str]


class Missing(msgspec.Struct, frozen=True):
    """Those of them that are not stored yet."""

    missing: list[str]


class Stored(msgspec.Struct, frozen=True):
    """How many blobs a pack held."""

    stored: int


class Blob(msgspec.Struct, frozen=True):
    """What was stored; `size` in bytes."""

    digest: str
    size: int


@post(
    "/blobs/missing",
    sync_to_thread=True,
    status_code=200,
    summary="Which of these blobs are not stored yet",
    opt=needs(Permission.OPERATE, Permission.WORK),
)
def missing_blobs(data: JSONBody[Digests], core: NamedDependency[Core]) -> Missing:
    return Missing([digest for digest in dict.fromkeys(data.digests) if not core.objects.exists(digest)])


@put(
    "/blobs/{digest:str}",
    status_code=201,
    request_max_body_size=None,
    summary="Store bytes under their digest",
    opt=needs(Permission.OPERATE, Permission.WORK),
)
async def put_blob(digest: FromPath[str], request: AnyRequest, core: NamedDependency[Core]) -> Blob:
    """Nothing is kept of bytes with another digest or over the setting `blob_bytes`."""
    objects, limit = core.objects, core.settings.blob_bytes
    if not is_digest(digest):
        raise LinesideError("request.invalid", why=f"{digest} is not a digest (sha256: and 64 hex digits)")
    if int(request.headers.get("content-length", "0")) > limit:
        raise LinesideError("blob.too_large", limit=limit)
    await received(request.stream(), lambda pieces: objects.put(pieces, expected=digest, limit=limit))
    return Blob(digest, objects.size(digest))


@post(
    "/blobs",
    status_code=200,
    request_max_body_size=None,
    summary="Store many small blobs in one request",
    opt=needs(Permission.OPERATE, Permission.WORK),
)
async def put_blobs(request: AnyRequest, core: NamedDependency[Core]) -> Stored:
    """Each after its digest (32 bytes) and size (8 bytes, big-endian). Nothing is kept of bytes with another digest;
    an error ends the pack, and blobs before it may be stored."""
    objects, limit = core.objects, core.settings.blob_bytes
    stored = await received(request.stream(), lambda pieces: objects.put_many(unpacked(pieces), limit))
    return Stored(stored)


@get("/blobs/{digest:str}", sync_to_thread=True, media_type="application/octet-stream", summary="The bytes of a blob")
def get_blob(digest: FromPath[str], core: NamedDependency[Core]) -> Stream:
    """That a person took them away is a row of the audit trail."""
    size = core.objects.size(digest)
    if current().by != "worker":  # which moves bytes all the time, and none out of here
        with core.database.write() as session:
            core.audit.record(session, "blob.export", digest, digest=digest, why=f"{size} bytes")
    headers = {
        "Content-Length": str(size),
        "Cache-Control": _FOREVER,
        "ETag": f'"{digest}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Stream(core.objects.stream(digest), headers=headers)


@post(
    "/blobs/pack",
    sync_to_thread=True,
    status_code=200,
    media_type="application/octet-stream",
    summary="The bytes of many blobs in one answer",
    opt=needs(Permission.READ),
)
def get_blobs(data: JSONBody[Digests], core: NamedDependency[Core]) -> Stream:
    """At most 50, each after its digest (32 bytes) and size (8 bytes, big-endian). One row of the trail names all."""
    digests = list(dict.fromkeys(data.digests))
    if len(digests) > _PACK:
        raise LinesideError("request.invalid", why=f"over {_PACK} digests in one request")
    sizes = {digest: core.objects.size(digest) for digest in digests}
    if current().by != "worker":
        with core.database.write() as session:
            core.audit.record(session, "blob.export", f"{len(digests)} blobs", why=" ".join(digests))
    return Stream(_packed(core, sizes), headers={"X-Content-Type-Options": "nosniff"})


def _packed(core: Core, sizes: dict[str, int]) -> Iterator[bytes]:
    for digest, size in sizes.items():
        yield before(digest, size)
        yield from core.objects.stream(digest)


def room(core: Core) -> Room:
    """Blobs are the object store itself; there is nothing to open."""
    return Room(people=[missing_blobs, put_blobs, put_blob, get_blob, get_blobs])
