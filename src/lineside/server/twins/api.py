"""People's API of the twins room."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from lineside.contract.twin import TwinTest
from lineside.server.twins.service import TwinTests


@get("/models/{name:str}/{version:int}/twin-test", sync_to_thread=True, summary="The twin test of a model version")
def get_twin_test(name: FromPath[str], version: FromPath[int], twin_tests: NamedDependency[TwinTests]) -> TwinTest:
    """The newest one: its stages, its history, and the digest of its report."""
    return twin_tests.get(name, version)


routes = [get_twin_test]
