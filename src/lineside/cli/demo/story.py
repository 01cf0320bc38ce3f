"""The demo's stages, in order; each is told in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lineside.cli.demo.approval import approve
from lineside.cli.demo.data import import_data, the_data
from lineside.cli.demo.inference import collect_captures, count_results, infer
from lineside.cli.demo.rollout import roll_out
from lineside.cli.demo.scene import Scene
from lineside.cli.demo.summary import Summary, device_summaries, summarize
from lineside.cli.demo.training import train
from lineside.cli.demo.twin import try_on_twin
from lineside.client import Client
from lineside.contract.dataset import DatasetVersion
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.run import Run


@dataclass(frozen=True)
class Told:
    """How the story ended; without `stations` nothing was released."""

    summary: Summary
    folder: Path
    dataset: DatasetVersion
    model: ModelVersion
    stations: tuple[str, ...] = ()


def tell(scene: Scene) -> Told:
    """From images to decisions on devices. A model below its gate ends the story early, with nothing released."""
    folder = the_data(scene)
    dataset = import_data(scene, folder)
    run, model = train(scene, dataset)
    if model.state is ModelState.GATED_OUT:
        return Told(_summary(scene, dataset, run, model), folder, dataset, model)
    model = approve(scene, try_on_twin(scene, model))
    stations, rollout = roll_out(scene, model)
    infer(scene, folder, dataset, model, stations)
    captures = collect_captures(scene, stations)
    summary = _summary(scene, dataset, run, model, stations, rollout.id, captures)
    return Told(summary, folder, dataset, model, stations)


def _summary(
    scene: Scene,
    dataset: DatasetVersion,
    run: Run,
    model: ModelVersion,
    stations: tuple[str, ...] = (),
    rollout: str | None = None,
    captures: int = 0,
) -> Summary:
    results = count_results(scene, stations)
    url = scene.plane.url
    return summarize(
        dataset,
        model,
        run,
        seconds=scene.display.seconds,
        urls={"overview": url, "model": f"{url}/models/{model.name}/{model.version}", "captures": f"{url}/captures"},
        unchanged=scene.unchanged,
        devices=device_summaries(scene.plane.ask(Client.devices), model.name, results),
        results=sum(results.values()),
        captures=captures,
        rollout=rollout,
    )
