"""A stream manager of its own for each test, and AWS's client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stream_manager import StreamManagerClient

from tests.agent.streams.stream_manager_process import StreamManagerProcess


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[StreamManagerProcess]:
    process = StreamManagerProcess(tmp_path / "m").start()
    yield process
    if process.process is not None:
        process.end()


@pytest.fixture
def client(manager: StreamManagerProcess) -> Iterator[StreamManagerClient]:
    with manager.client() as client:
        yield client
