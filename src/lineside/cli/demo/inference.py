"""Inference: pictures arrive in each device's folder, results come back, and some pictures with them as captures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from lineside.cli.demo.display import Stage
from lineside.cli.demo.feed import Feed, Picture, inbox_pictures, shares
from lineside.cli.demo.scene import Scene
from lineside.client import Client
from lineside.contract.dataset import DatasetVersion, Split
from lineside.contract.model import ModelVersion

_SECONDS = 120.0  # without a new result
_QUIET = 30.0  # without a new result, while some pictures have none: they are given up
_SETTLE = 2.0  # without a new capture: all are there
_ARRIVE = 0.1  # between pictures at first
_SLOWLY = 3.0  # between pictures afterwards
_TESTS = 14  # test images for each device


class Quiet:
    """How many seconds a value has not changed."""

    def __init__(self) -> None:
        self._value: object = None
        self._since = time.monotonic()

    def seconds(self, value: object) -> float:
        """Seconds since the value became what it is."""
        if value != self._value:
            self._value, self._since = value, time.monotonic()
        return time.monotonic() - self._since


def infer(scene: Scene, folder: Path, dataset: DatasetVersion, model: ModelVersion, stations: Sequence[str]) -> None:
    """Feed every device and wait for its results."""
    with scene.display.stage("results", "Infer pictures as they arrive") as stage:
        feed = _feed(scene, model, stations)
        missing = feed.missing(_plan(scene, folder, dataset, stations))
        if not missing:
            scene.unchanged.append("pictures")
        expected = count_results(scene, stations)
        for number, (device, picture) in enumerate(missing, 1):
            feed.give(device, picture)
            expected[device] += picture.readable
            stage.move("pictures", number / len(missing), f"{number} of {len(missing)}")
            scene.plane.tick()
            time.sleep(_ARRIVE)
        expected = {name: max(count, feed.expected(name)) for name, count in expected.items()}
        counts = _wait_results(scene, expected, stage)
        lost = sum(max(expected[name] - counts[name], 0) for name in stations)
        stage.outcome = f"{sum(counts.values())} results" + (f", {lost} pictures without one" if lost else "")


def collect_captures(scene: Scene, stations: Sequence[str]) -> int:
    """Wait until the devices have sent what they kept; the captures there are."""
    with scene.display.stage("captures", "Bring captures back") as stage:
        quiet = Quiet()

        def settled(total: int) -> bool:
            folders = [scene.fleet.root_of(name) / "captures" for name in stations]
            waiting = sum(1 for folder in folders for _ in folder.glob("*.json"))
            return quiet.seconds((total, waiting)) > _SETTLE and not waiting

        total = scene.plane.wait(
            lambda client: client.captures(limit=1).total,
            settled,
            what="the devices to send their captures",
            where=str(scene.root.logs),
            seconds=_SECONDS,
            moved=lambda total: total,
        )
        stage.outcome = f"{total} pictures kept, each with its reason"
    return total


def count_results(scene: Scene, stations: Sequence[str]) -> dict[str, int]:
    """How many results the control plane has of each device."""

    def count(client: Client) -> dict[str, int]:
        return {name: client.results(device=name, limit=1).total for name in stations}

    return scene.plane.ask(count)


def go_on(scene: Scene, folder: Path, dataset: DatasetVersion, model: ModelVersion, stations: Sequence[str]) -> None:
    """Feed pictures slowly, until somebody stops the demo."""
    scene.display.say(f"Everything stays up at {scene.plane.url}; a picture arrives every {_SLOWLY:.0f} s.")
    scene.display.say("Ctrl-C ends it.")
    for _ in _feed(scene, model, stations).endlessly(_plan(scene, folder, dataset, stations)):
        scene.plane.tick()
        time.sleep(_SLOWLY)


def _wait_results(scene: Scene, expected: dict[str, int], stage: Stage) -> dict[str, int]:
    quiet = Quiet()

    def enough(counts: dict[str, int]) -> bool:
        for name, count in counts.items():
            stage.move(name, min(count / max(expected[name], 1), 1.0), f"{count} results")
        given_up = all(counts.values()) and quiet.seconds(counts) > _QUIET
        return given_up or all(count >= expected[name] for name, count in counts.items())

    return scene.plane.wait(
        lambda client: {name: client.results(device=name, limit=1).total for name in expected},
        enough,
        what="a result for each picture",
        where=str(scene.root.logs),
        seconds=_SECONDS,
        moved=lambda counts: counts,
    )


def _feed(scene: Scene, model: ModelVersion, stations: Sequence[str]) -> Feed:
    return Feed({name: scene.fleet.inbox_of(name) for name in stations}, scene.root.fed, model.label)


def _plan(scene: Scene, folder: Path, dataset: DatasetVersion, stations: Sequence[str]) -> dict[str, list[Picture]]:
    return shares(inbox_pictures(folder), _test_pictures(scene, dataset, _TESTS * len(stations)), stations)


def _test_pictures(scene: Scene, dataset: DatasetVersion, count: int) -> list[Picture]:
    def read(client: Client) -> list[Picture]:
        images = client.dataset_images(dataset.id, split=Split.TEST.value, limit=count).images
        return [Picture(Path(image.file_name).name, client.get_blob(image.digest)) for image in images]

    return scene.plane.ask(read)
