"""The demo's stories. Each is stages in order, told in files of their own; they share what leads to a first release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from lineside.cli.demo.approval import approve
from lineside.cli.demo.data import import_data, the_data
from lineside.cli.demo.inference import collect_captures, count_results, go_on, infer
from lineside.cli.demo.rollout import CONFIGURATION, roll_out
from lineside.cli.demo.scene import Scene
from lineside.cli.demo.summary import Summary, device_summaries, draw_summary, summarize
from lineside.cli.demo.training import train
from lineside.cli.demo.twin import try_on_twin
from lineside.client import Client
from lineside.contract.dataset import DatasetVersion
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.run import Run


@dataclass(frozen=True)
class Release:
    """A trained model, and where it runs; without `stations` it is below its gate, and was released nowhere."""

    folder: Path
    dataset: DatasetVersion
    run: Run
    model: ModelVersion
    stations: tuple[str, ...] = ()
    rollout: str | None = None


@dataclass(frozen=True)
class Told:
    """How a story ended: what it says in one line, how that is drawn, and how it goes on for those who watch. Not
    `released`: a gate said no."""

    summary: Summary
    draw: Callable[[Any], RenderableType]
    released: bool
    go_on: Callable[[], None]


def release(scene: Scene, configuration: dict[str, Any] = CONFIGURATION) -> Release:
    """From images to a model on devices. A model below its gate ends that early."""
    folder = the_data(scene)
    dataset = import_data(scene, folder)
    run, model = train(scene, dataset)
    if model.state is ModelState.GATED_OUT:
        return Release(folder, dataset, run, model)
    model = approve(scene, try_on_twin(scene, model))
    stations, rollout = roll_out(scene, model, configuration=configuration)
    return Release(folder, dataset, run, model, stations, rollout.id)


def tell(scene: Scene) -> Told:
    """The whole loop, once: from images to decisions on devices, and pictures back."""
    made = release(scene)
    if not made.stations:
        return Told(summary_of(scene, made), draw_summary, False, lambda: None)
    infer(scene, made.folder, made.dataset, made.model, made.stations)
    captures = collect_captures(scene, made.stations)
    return Told(
        summary_of(scene, made, captures),
        draw_summary,
        True,
        lambda: go_on(scene, made.folder, made.dataset, made.model, made.stations),
    )


def summary_of(scene: Scene, made: Release, captures: int = 0) -> Summary:
    """What a story says of a release in the end."""
    results, model = count_results(scene, made.stations), made.model
    url = scene.plane.url
    return summarize(
        made.dataset,
        model,
        made.run,
        seconds=scene.display.seconds,
        urls={"overview": url, "model": f"{url}/models/{model.name}/{model.version}", "captures": f"{url}/captures"},
        unchanged=scene.unchanged,
        devices=device_summaries(scene.plane.ask(Client.devices), model.name, results),
        results=sum(results.values()),
        captures=captures,
        rollout=made.rollout,
    )
