"""What the demo says in the end: one JSON object for programs, a few lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from rich.console import Group, RenderableType

from lineside.cli.demo.fleet import released_digest
from lineside.cli.table import details, mark, rows, short
from lineside.contract.dataset import DatasetVersion
from lineside.contract.device import Device
from lineside.contract.model import GateResult, Metrics, ModelVersion
from lineside.contract.run import Run


class DeviceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A device at the end of the demo. `digest` is the model file it runs."""

    name: str
    healthy: bool
    digest: str | None
    results: int


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The demo's last line. `seconds` by stage; `unchanged` names what an earlier demo on this root had done."""

    dataset_version: str
    model_version: str
    state: str  # of the model version
    metrics: Mapping[str, Metrics]
    variant: str
    released_digest: str | None
    gates: Sequence[GateResult]
    devices: Sequence[DeviceSummary]
    results: int
    captures: int
    seconds: Mapping[str, float]
    run: str
    rollout: str | None
    urls: Mapping[str, str]
    unchanged: Sequence[str]


def device_summaries(devices: Sequence[Device], model: str, results: Mapping[str, int]) -> list[DeviceSummary]:
    """The demo's devices by name, with the results counted for each; `results` names the devices meant."""
    return [
        DeviceSummary(
            name=device.name,
            healthy=device.healthy,
            digest=released_digest(device, model),
            results=results[device.name],
        )
        for device in sorted(devices, key=lambda device: device.name)
        if device.name in results
    ]


def summarize(
    dataset: DatasetVersion,
    model: ModelVersion,
    run: Run,
    *,
    seconds: Mapping[str, float],
    urls: Mapping[str, str],
    unchanged: Sequence[str],
    devices: Sequence[DeviceSummary] = (),
    results: int = 0,
    captures: int = 0,
    rollout: str | None = None,
) -> Summary:
    """The summary of a demo; without a rollout nothing was released."""
    return Summary(
        dataset_version=dataset.id,
        model_version=model.label,
        state=model.state.value,
        metrics=model.metrics,
        variant=model.variant,
        released_digest=model.digest if rollout else None,
        gates=model.gates,
        devices=devices,
        results=results,
        captures=captures,
        seconds=seconds,
        run=run.id,
        rollout=rollout,
        urls=urls,
        unchanged=unchanged,
    )


def draw_summary(summary: Summary) -> RenderableType:
    """The summary for people."""
    head = details(
        (
            ("dataset version", summary.dataset_version),
            ("model version", f"{summary.model_version}, {summary.variant}, {summary.state.replace('_', ' ')}"),
            ("released", short(summary.released_digest) if summary.released_digest else "nothing"),
            ("results", summary.results),
            ("captures", summary.captures),
            ("as before", ", ".join(summary.unchanged)),
        )
    )
    scores = ((split, m.map50, m.map, m.images) for split, m in summary.metrics.items())
    gates = ((mark(g.passed, "passed" if g.passed else "failed"), g.sentence) for g in summary.gates)
    devices = (
        (d.name, mark(d.healthy, "healthy" if d.healthy else "not healthy"), short(d.digest or "") or None, d.results)
        for d in summary.devices
    )
    return Group(
        head,
        rows(("split", "mAP50", "mAP50-95", "images"), scores, ""),
        rows(("gate", ""), gates, ""),
        rows(("device", "state", "runs", "results"), devices, "No device was told anything."),
    )
