"""Thumbnails of datasets' pictures: what the import made, so that a page of a hundred decodes nothing."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest
from lineside.server.datasets.pictures.limits import THUMBNAIL
from lineside.server.datasets.service import DatasetsService

_HEADERS = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@get("/datasets/thumbnails/{digest:str}", sync_to_thread=True, include_in_schema=False)
def show_thumbnail(digest: FromPath[str], datasets: NamedDependency[DatasetsService]) -> Response[bytes] | Redirect:
    """A JPEG, upright, at most 240 pixels and 8 KB; a picture that was never looked at is made smaller elsewhere."""
    if not is_digest(digest):
        raise LinesideError("request.not_found", what="picture", name=digest)
    data = datasets.looks.thumbnail(digest)
    if data is None:
        return Redirect(f"/pictures/{digest}?size={THUMBNAIL}")
    return Response(data, media_type="image/jpeg", headers=_HEADERS)


routes = [show_thumbnail]
