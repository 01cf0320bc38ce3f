"""The models of a process: loaded, listed, described, swapped and unloaded while others run, within a memory budget."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime.models import memory as measuring
from lineside.runtime.models.library import Library
from lineside.runtime.models.memory import MB, Memory
from lineside.runtime.models.settings import ModelSettings
from lineside.runtime.models.slot import Slot
from lineside.runtime.status import GoldenState
from tests.eventually import eventually
from tests.runtime.models.making import PICTURE, damaged, versioned


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    root = tmp_path_factory.mktemp("versions")
    return {version: versioned(root / str(version), version) for version in (1, 2)}


class Room:
    """A memory budget that a test sets."""

    def __init__(self) -> None:
        self.free = 1000 * MB

    def __call__(self, memory_mb: int | None) -> Memory:
        return Memory(1000 * MB, 1000 * MB - self.free, "memory_mb")


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def library(folders: dict[int, Path], room: Room) -> Iterator[Library]:
    made = Library({"line": ModelSettings(folder=str(folders[1]), threads=1)}, threads=1, look=room)
    yield made
    made.close()


def version(slot: Slot) -> int:
    answer = slot.detect(PICTURE)
    assert len(answer.published) == 1
    return answer.model.identity.version


def refused(code: str, call: object, *arguments: object) -> LinesideError:
    with pytest.raises(LinesideError) as caught:
        call(*arguments)  # type: ignore[operator]
    assert caught.value.code == code
    return caught.value


def test_models_come_and_go_by_name(library: Library, folders: dict[int, Path]) -> None:
    assert library.names() == []
    library.load("line")
    library.load("other", folders[2])
    assert library.names() == ["line", "other"]
    assert (version(library.slot("line")), version(library.slot("other"))) == (1, 2)
    library.unload("line")
    assert library.names() == ["other"]
    assert library.known() == {"line": folders[1], "other": folders[2]}
    assert "loaded are: other" in refused("model.not_loaded", library.slot, "line").message
    library.load("line")
    assert version(library.slot("line")) == 1
    refused("model.not_loaded", library.load, "unheard-of")
    refused("model.not_loaded", library.unload, "unheard-of")


def test_a_description_says_what_stands_behind_a_name(library: Library, folders: dict[int, Path]) -> None:
    library.load("line")
    first = library.describe("line")
    assert (first.model, first.version, first.golden, first.threads) == ("bright", 1, GoldenState.MATCHED, 1)
    assert (first.engine, first.provider, first.notes) == ("onnxruntime", "CPUExecutionProvider", ())
    assert [port.name for port in first.inputs + first.outputs] == ["images", "output"]
    assert first.kept == ""
    library.load("line", folders[2])
    second = library.describe("line")
    assert (second.version, second.kept, second.folder) == (2, first.digest, str(folders[2]))
    refused("model.not_loaded", library.describe, "other")


def test_loading_a_name_again_swaps_it_and_the_old_one_can_come_back(
    library: Library, folders: dict[int, Path]
) -> None:
    slot = library.load("line")
    assert library.load("line", folders[2]) is slot
    assert version(slot) == 2
    library.revert("line")
    assert version(slot) == 1
    assert library.known()["line"] == folders[1]
    refused("model.nothing_kept", library.revert, "line")
    library.load("line", folders[2])
    library.settle("line")
    refused("model.nothing_kept", library.revert, "line")


def test_the_soak_ends_by_itself(folders: dict[int, Path], room: Room) -> None:
    library = Library(threads=1, soak_seconds=0.05, look=room)
    slot = library.load("line", folders[1])
    library.load("line", folders[2])
    eventually(lambda: slot.kept is None)
    assert version(slot) == 2


def test_what_does_not_fit_is_refused_before_it_is_loaded_and_what_runs_goes_on(
    library: Library, folders: dict[int, Path], room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = library.load("line")
    room.free = 0
    monkeypatch.setattr("lineside.runtime.models.library.prove", lambda *_: pytest.fail("it was loaded"))
    for call in (("line", folders[2]), ("other", folders[2])):
        error = refused("model.no_memory", library.load, *call)
        assert "1000 MB of 1000 MB are in use (memory_mb)" in error.message
    assert library.names() == ["line"]
    assert library.known() == {"line": folders[1]}
    assert version(slot) == 1


def test_an_estimate_alone_keeps_no_device_from_its_only_model(folders: dict[int, Path], room: Room) -> None:
    room.free = 1
    assert version(Library(threads=1, look=room).load("line", folders[1])) == 1
    refused("model.no_memory", Library(threads=1, look=room, memory_mb=1000).load, "line", folders[1])


def test_what_turns_out_too_big_is_let_go_again(library: Library, folders: dict[int, Path], room: Room) -> None:
    slot = library.load("line")

    def look(memory_mb: int | None) -> Memory:
        looks.append(1)
        return Memory(1000 * MB, (500 if len(looks) == 1 else 1001) * MB, "cgroup")

    looks: list[int] = []
    library._look = look
    refused("model.no_memory", library.load, "line", folders[2])
    assert len(looks) == 2
    assert version(slot) == 1


def test_what_is_damaged_leaves_everything_as_it_was(
    library: Library, folders: dict[int, Path], tmp_path: Path
) -> None:
    slot = library.load("line")
    refused("model.digest_mismatch", library.load, "line", damaged(tmp_path / "damaged", 3))
    refused("model.missing", library.load, "other", tmp_path / "nowhere")
    assert library.names() == ["line"]
    assert library.known() == {"line": folders[1]}
    assert version(slot) == 1


def test_what_a_source_is_routed_to_stays(library: Library) -> None:
    library.load("line")
    library.routed = frozenset({"line"})
    refused("model.in_use", library.unload, "line")
    assert version(library.slot("line")) == 1


def test_models_come_and_go_while_others_answer(library: Library, folders: dict[int, Path]) -> None:
    slot, stop, failures, answers = library.load("line"), threading.Event(), [], []

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(version(slot))
            except Exception as error:  # noqa: BLE001 - the test looks at it
                failures.append(error)

    def reached(count: int) -> bool:
        return len(answers) >= count

    callers = [threading.Thread(target=ask) for _ in range(3)]
    for caller in callers:
        caller.start()
    for turn in range(6):
        library.load("other", folders[1 + turn % 2])
        wanted = len(answers) + 4
        library.unload("other")
        eventually(partial(reached, wanted))
    stop.set()
    for caller in callers:
        caller.join(60)
    assert failures == []
    assert set(answers) == {1}
    assert library.names() == ["line"]


def test_an_unloaded_model_gives_its_memory_back(tmp_path: Path, room: Room) -> None:
    library = Library(threads=1, look=room)
    folder = versioned(tmp_path / "big", 1, golden=False)
    library.load("one", folder)
    library.unload("one")
    after_first = measuring.resident()
    for _ in range(40):
        library.load("one", folder)
        library.unload("one")
    assert measuring.resident() - after_first < 8 * MB
