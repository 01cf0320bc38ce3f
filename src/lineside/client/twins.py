"""Operations of people's API about twins."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.model import Decision, ModelVersion
from lineside.contract.twin import TwinTest


class Twins(Calls):
    """The test that models pass on twins."""

    def twin_test(self, name: str, version: int) -> TwinTest:
        """The newest twin test of a model version; its report is the blob `report`."""
        return self.connection.call("GET", path("models", name, version, "twin-test"), TwinTest)

    def retest_model(self, name: str, version: int, decision: Decision) -> ModelVersion:
        """Have a model that awaits approval, or failed on its twins, tested there again."""
        return self.connection.call("POST", path("models", name, version, "retest"), ModelVersion, body=decision)
