"""What tests of models share."""

from __future__ import annotations

import pytest

from lineside.server.datasets.service import DatasetsService
from lineside.server.models.service import ModelsService
from lineside.server.runs.service import RunsService
from lineside.server.services import Core


@pytest.fixture
def registry(core: Core) -> ModelsService:
    """A service of models without any."""
    return ModelsService(core, RunsService(core, DatasetsService(core)))
