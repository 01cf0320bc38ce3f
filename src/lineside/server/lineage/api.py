"""People's API of lineage."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, PathParameter

from lineside.contract.lineage import ResultLineage
from lineside.server.lineage.service import LineageService


@get("/lineage/{result_id:int}", sync_to_thread=True, summary="Where a result came from, back to the images")
def result_lineage(
    result_id: Annotated[int, PathParameter(ge=1, le=2**53)], lineage: NamedDependency[LineageService]
) -> ResultLineage:
    """What cannot be established is said in `gaps`, and its place is empty."""
    return lineage.of_result(result_id)


@get("/captures/{capture:str}/lineage", sync_to_thread=True, summary="Where the result of a capture came from")
def capture_lineage(capture: FromPath[str], lineage: NamedDependency[LineageService]) -> ResultLineage:
    """As for its result; also when the result itself is not kept any more (its id is 0 then)."""
    return lineage.of_capture(capture)


routes = [result_lineage, capture_lineage]
