"""Pictures for pages: a stored image by its digest, made no larger than the page needs."""

from __future__ import annotations

import io
from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest
from lineside.server.adapters.objects import ObjectStore

_MOST_BYTES = 64 << 20
_MOST_PIXELS = 100_000_000
_HEADERS = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@get("/pictures/{digest:str}", sync_to_thread=True, include_in_schema=False)
def show_picture(
    digest: FromPath[str],
    objects: NamedDependency[ObjectStore],
    size: Annotated[int, QueryParameter(ge=16, le=4096)] = 480,
) -> Response[bytes]:
    """A JPEG of the image, upright, its longer side at most `size` pixels. Raises `picture.unreadable`."""
    if not is_digest(digest):
        raise LinesideError("request.not_found", what="picture", name=digest)
    if objects.size(digest) > _MOST_BYTES:
        raise LinesideError("picture.unreadable", digest=digest)
    return Response(_reduced(objects.get(digest), digest, size), media_type="image/jpeg", headers=_HEADERS)


def _reduced(data: bytes, digest: str, size: int) -> bytes:
    from PIL import Image, ImageOps  # when the first picture is shown

    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise LinesideError("picture.unreadable", digest=digest)
            image.draft("RGB", (size, size))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as failure:
        raise LinesideError("picture.unreadable", digest=digest) from failure
    upright.thumbnail((size, size))
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
