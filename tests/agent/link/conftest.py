"""A real control plane for tests of joining and renewal: one process for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.processes import ControlPlaneProcess


@pytest.fixture(scope="session")
def real_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlaneProcess]:
    """`python -m lineside.server` on ports of its own."""
    arguments = ("--port", "0", "--device-port", "0", "--mqtt-port", "0")
    with ControlPlaneProcess(tmp_path_factory.mktemp("plane"), *arguments) as found:
        yield found
