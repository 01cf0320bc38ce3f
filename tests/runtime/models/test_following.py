"""A process follows its model's component: it swaps when the agent names another folder, and says how that went."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.runtime.models.followed import followed_folders, slots_of
from lineside.runtime.models.following import Following
from lineside.runtime.models.library import Library
from lineside.runtime.models.slot import Slot
from lineside.runtime.models.swap_status import SwapState, SwapStatus
from tests.eventually import eventually
from tests.runtime.models.making import PICTURE, forgetful, versioned

COMPONENT = "bright.model"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    root = tmp_path_factory.mktemp("versions")
    return {1: versioned(root / "1", 1), 2: versioned(root / "2", 2), 3: forgetful(root / "3", 3)}


class Followed:
    """A library with one model that follows a file."""

    def __init__(self, work: Path, folders: dict[int, Path]) -> None:
        self.work, self.folders, self.swaps = work, folders, 0
        self.library = Library(threads=1)
        self.slot: Slot = self.library.load("model", folders[1])
        environment = {"LINESIDE_FOLLOWED": str(work / "followed.json")}
        self.following = Following(
            self.library, {COMPONENT: "model"}, lambda: followed_folders(environment), self.count
        )

    def count(self) -> None:
        self.swaps += 1

    def name(self, folder: Path) -> None:
        unfinished = self.work / "followed.tmp"
        unfinished.write_text(json.dumps({COMPONENT: str(folder), "other.model": "/nowhere"}))
        unfinished.rename(self.work / "followed.json")

    def until(self, folder: Path, state: SwapState) -> SwapStatus:
        def look() -> SwapStatus | None:
            status = self.following.status[COMPONENT]
            return status if (status.folder, status.state) == (str(folder), state) else None

        found = eventually(look)
        assert found is not None
        return found

    def version(self) -> int:
        return self.slot.detect(PICTURE).model.identity.version


@pytest.fixture
def followed(tmp_path: Path, folders: dict[int, Path]) -> Iterator[Followed]:
    made = Followed(tmp_path, folders)
    made.following.start()
    yield made
    made.following.stop()
    made.library.close()


def test_without_the_file_nothing_is_followed(followed: Followed) -> None:
    assert followed.following.status[COMPONENT] == SwapStatus(folder=str(followed.folders[1]), state=SwapState.DONE)


def test_it_swaps_to_what_the_file_names_and_back(followed: Followed) -> None:
    followed.name(followed.folders[1])
    followed.until(followed.folders[1], SwapState.DONE)
    assert followed.swaps == 0  # it is what decides already
    followed.name(followed.folders[2])
    followed.until(followed.folders[2], SwapState.DONE)
    assert followed.version() == 2
    followed.name(followed.folders[1])
    followed.until(followed.folders[1], SwapState.DONE)
    assert followed.version() == 1
    eventually(lambda: followed.swaps == 2)


def test_what_is_refused_changes_nothing_and_says_why(followed: Followed, tmp_path: Path) -> None:
    followed.name(followed.folders[3])
    refused = followed.until(followed.folders[3], SwapState.REFUSED)
    assert refused.error is not None
    assert refused.error.code == "golden.mismatched"
    assert followed.version() == 1
    nowhere = tmp_path / "nowhere"
    followed.name(nowhere)
    error = followed.until(nowhere, SwapState.REFUSED).error
    assert error is not None
    assert error.code == "model.missing"
    followed.name(followed.folders[1])  # the agent goes back
    assert followed.until(followed.folders[1], SwapState.DONE).error is None
    assert followed.swaps == 0


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        ("{", {}),
        ("[]", {}),
        ("{}", {}),
        ('{"a.model": ""}', {}),
        ('{"a.model": 3}', {}),
        ('{"b.model": "/b", "x.model": "/x"}', {"b.model": Path("/b"), "x.model": Path("/x")}),
    ],
)
def test_the_file_may_say_anything(tmp_path: Path, text: str, folders: dict[str, Path]) -> None:
    file = tmp_path / "followed.json"
    file.write_text(text)
    assert followed_folders({"LINESIDE_FOLLOWED": str(file)}) == folders
    assert followed_folders({}) == {}
    assert followed_folders({"LINESIDE_FOLLOWED": str(tmp_path / "nothing")}) == {}


def test_a_component_is_the_model_that_lies_in_its_folder() -> None:
    a, b, c = Path("/a"), Path("/b"), Path("/c")
    assert slots_of({"one": b, "two": a}, {"x": a, "y": b}) == {"two": "x", "one": "y"}
    assert slots_of({"one": b}, {"x": a, "y": b}) == {"one": "y"}
    assert slots_of({"one": c}, {"x": a}) == {"one": "x"}  # the only one, wherever it lies
    assert slots_of({"one": c}, {"x": a, "y": b}) == {}
    assert slots_of({}, {"x": a}) == slots_of({"one": a}, {}) == {}
