"""A device's disk before and after: a store, package folders, and everything that lies there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.agent.paths import Paths
from lineside.agent.platforms import this_platform
from lineside.agent.updating import packages
from lineside.agent.updating.store import Store
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.reader import read_recipe
from tests.agent.components import artifact, recipe


class Bench:
    """Stages archives as the agent does: the recipe read from its bytes, the archive taken from the store."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root / "device")
        self.around = root
        self.store = Store(self.paths.store)

    def everything(self) -> set[str]:
        """Every path that is not the store's, on the device and around it."""
        return {
            str(path.relative_to(self.around))
            for path in self.around.rglob("*")
            if not path.is_relative_to(self.paths.store)
        }

    def stage(self, archive: bytes, name: str = "code.zip") -> dict[str, str]:
        """Put an archive where a component's artifacts belong."""
        digest = self.store.put(archive)
        text = msgspec.json.encode(recipe(artifacts=[artifact(name, digest, Unarchive="ZIP")]))
        return packages.stage(read_recipe(text, this_platform()), self.store, self.paths)

    def refuses(self, archive: bytes, *codes: str) -> LinesideError:
        """It is refused by one of these codes, and the disk is as it was."""
        before = self.everything()
        with pytest.raises(LinesideError) as caught:
            self.stage(archive)
        assert caught.value.code in codes
        empty = {"device/packages", "device/packages/artifacts", "device/packages/artifacts-unarchived"}
        assert self.everything() - empty == before - empty
        return caught.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def refused(text: bytes | str | dict[str, Any]) -> str:
    """The code by which a recipe is refused."""
    data = msgspec.json.encode(text) if isinstance(text, dict) else text.encode() if isinstance(text, str) else text
    with pytest.raises(LinesideError) as caught:
        read_recipe(data, this_platform())
    assert len(caught.value.message) < 2000
    return caught.value.code
