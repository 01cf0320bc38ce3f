"""A process follows its model's component: it swaps when the agent names another folder, and says how that went."""

from __future__ import annotations

import json
import shutil
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
        self.breaks = False
        self.library = Library(threads=1)
        self.slot: Slot = self.library.load("model", folders[1])
        environment = {"LINESIDE_FOLLOWED": str(work / "followed.json")}
        models = {"model": folders[1], "spare": folders[1].parent / "spare"}
        self.following = Following(
            self.library,
            lambda found: slots_of(found, models, folders[1]),
            lambda: followed_folders(environment),
            self.count,
        )

    def count(self) -> None:
        self.swaps += 1
        if self.breaks:
            raise OSError(28, "No space left on device")

    def name(self, folder: Path) -> None:
        unfinished = self.work / "followed.tmp"
        told = {COMPONENT: str(folder), "spare.model": str(folder.parent / "spare"), "other.model": "/nowhere"}
        unfinished.write_text(json.dumps(told))
        unfinished.rename(self.work / "followed.json")

    def until(self, folder: Path, state: SwapState) -> SwapStatus:
        def look() -> SwapStatus | None:
            status = self.following.status.get(COMPONENT)
            return status if status and (status.folder, status.state) == (str(folder), state) else None

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
    assert followed.following.status == {}


def test_what_no_model_is_of_is_said_to_be_unused(followed: Followed) -> None:
    followed.name(followed.folders[1])
    followed.until(followed.folders[1], SwapState.DONE)
    assert followed.following.status["other.model"] == SwapStatus(folder="", state=SwapState.UNUSED)


def test_one_that_is_not_loaded_takes_its_next_folder_when_it_is(followed: Followed) -> None:
    followed.name(followed.folders[1])
    followed.until(followed.folders[1], SwapState.DONE)
    followed.library.unload("model")
    followed.name(followed.folders[2])
    followed.until(followed.folders[2], SwapState.DONE)
    assert followed.library.names() == []
    assert followed.library.load("model").model.identity.version == 2
    followed.until(followed.folders[2], SwapState.DONE)


def test_what_breaks_after_a_swap_is_announced_and_the_next_version_is_followed(
    followed: Followed, capsys: pytest.CaptureFixture[str]
) -> None:
    followed.name(followed.folders[1])
    followed.until(followed.folders[1], SwapState.DONE)
    followed.breaks = True
    followed.name(followed.folders[2])
    followed.until(followed.folders[2], SwapState.DONE)
    eventually(lambda: followed.swaps == 1)
    followed.name(followed.folders[1])
    followed.until(followed.folders[1], SwapState.DONE)
    eventually(lambda: followed.swaps == 2)
    eventually(lambda: "No space left" in capsys.readouterr().out)


def test_back_to_the_kept_model_in_another_folder(followed: Followed, tmp_path: Path) -> None:
    followed.name(followed.folders[1])
    followed.until(followed.folders[1], SwapState.DONE)
    followed.name(followed.folders[2])
    followed.until(followed.folders[2], SwapState.DONE)
    again = tmp_path / "again"
    shutil.copytree(followed.folders[1], again)
    followed.name(again)
    followed.until(again, SwapState.DONE)
    assert followed.version() == 1


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
    followed.name(followed.folders[1])
    followed.until(followed.folders[1], SwapState.DONE)
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


def test_every_model_of_a_component_follows_it_and_one_that_refuses_is_heard(
    tmp_path: Path, folders: dict[int, Path]
) -> None:
    library = Library(threads=1)
    names, looked_for = ("left", "right"), {COMPONENT: folders[1]}
    slots = [library.load(name, folders[1]) for name in names]
    models = dict.fromkeys(names, folders[1])
    following = Following(library, lambda found: slots_of(found, models, folders[1]), lambda: dict(looked_for))
    following.start()

    def reached(folder: Path, state: SwapState) -> list[int] | None:
        status = following.status[COMPONENT]
        if (status.folder, status.state) != (str(folder), state):
            return None
        return [slot.detect(PICTURE).model.identity.version for slot in slots]

    looked_for[COMPONENT] = folders[2]
    assert eventually(lambda: reached(folders[2], SwapState.DONE)) == [2, 2]
    looked_for[COMPONENT] = folders[3]
    assert eventually(lambda: reached(folders[3], SwapState.REFUSED)) == [2, 2]
    library.load("right", folders[1])  # somebody else was quicker
    looked_for[COMPONENT] = folders[1]
    assert eventually(lambda: reached(folders[1], SwapState.DONE)) == [1, 1]
    following.stop()
    library.close()


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
    assert slots_of({"one": b, "two": a}, {"x": a, "y": b}, a) == {"two": ("x",), "one": ("y",)}
    assert slots_of({"one": b}, {"x": a, "y": b}, a) == {"one": ("y",)}
    assert slots_of({"one": c}, {"x": a, "y": b}, a) == {"one": ("x",)}  # that of the process, wherever it lies
    assert slots_of({"one": c}, {"own": b}, a) == {}  # not one that was configured
    assert slots_of({"one": c, "two": c}, {"x": a}, a) == {}
    assert slots_of({}, {"x": a}, a) == slots_of({"one": a}, {}, a) == {}
    assert slots_of({"one": b}, {"x": a, "y": b, "z": b}, a) == {"one": ("y", "z")}  # two models of one folder
    assert slots_of({"one": c}, {"x": a, "y": a}, a) == {"one": ("x", "y")}


def test_a_component_is_the_model_that_lies_beside_another_of_its_versions() -> None:
    a, b = Path("/artifacts/a.model"), Path("/artifacts/b.model")
    models = {"x": a / "1.0.0", "y": b / "1.0.0"}
    assert slots_of({"b.model": b / "2.0.0"}, models, a / "1.0.0") == {"b.model": ("y",)}
    assert slots_of({"b.model": b / "2.0.0"}, {"x": a / "1.0.0"}, a / "1.0.0") == {}  # b is of no use here
