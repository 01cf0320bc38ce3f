"""A house with one of everything, in which a device has decided about one picture and kept it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineside.contract.model import Decision
from lineside.contract.result import Result
from lineside.server.testing import running
from tests.pages.story import House


class Decided(House):
    """The house after a person approved the model, a device runs it and has decided."""

    result: Result

    def decide(self) -> None:
        self.client.approve_model("plates", 1, Decision(reason="fine on the twin"))
        device = self.deploy()
        self.result = self.see(device)


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decided]:
    """Shared by the tests of a module, which only look."""
    folder = tmp_path_factory.mktemp("house")
    with running(folder / "root", soak_seconds=0.0) as lineside:
        house = Decided(lineside, folder / "plates")
        house.decide()
        yield house
