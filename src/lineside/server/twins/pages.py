"""The page of a twin test: its stages as they pass, and what was measured."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from lineside.contract.twin import ENDED
from lineside.server.adapters.objects import ObjectStore
from lineside.server.models.twin_report import outputs_of, read_twin_report
from lineside.server.twins.service import TwinTests
from lineside.server.web.render import AnyRequest, Page, page


@get("/models/{name:str}/{version:int}/twin-test", sync_to_thread=True, include_in_schema=False)
def twin_test_page(
    request: AnyRequest,
    name: FromPath[str],
    version: FromPath[int],
    twin_tests: NamedDependency[TwinTests],
    objects: NamedDependency[ObjectStore],
) -> Page:
    """The newest twin test of a model version; it refreshes itself while the test goes on."""
    test = twin_tests.get(name, version)
    found = read_twin_report(objects, test.report)
    return page(
        request,
        "twins/page.html",
        here="/models",
        live=test.state not in ENDED,
        test=test,
        found=found,
        outputs=outputs_of(objects, found),
    )


routes = [twin_test_page]
