"""The demo's JSON object, made from what the control plane said."""

from __future__ import annotations

import msgspec
from rich.console import Console

from lineside.cli.demo.summary import device_summaries, draw_summary, summarize
from lineside.contract.model import ModelState
from tests.cli import values


def _summary(released: bool = True) -> dict[str, object]:
    devices = [
        values.device("tag-station-2", values.OTHER, healthy=False),
        values.device("tag-station-1"),
        values.device("twin-1"),
    ]
    told = device_summaries(devices, "metal-tags", {"tag-station-1": 28, "tag-station-2": 0}) if released else []
    model = values.MODEL if released else msgspec.structs.replace(values.MODEL, state=ModelState.GATED_OUT)
    summary = summarize(
        values.DATASET,
        model,
        values.RUN,
        seconds={"start": 1.5},
        urls={"overview": "http://127.0.0.1:8400"},
        unchanged=["data"],
        devices=told,
        results=28 if released else 0,
        captures=4 if released else 0,
        rollout="ro-1" if released else None,
    )
    console = Console(record=True, width=200, file=None, quiet=True)
    console.print(draw_summary(summary))
    decoded: dict[str, object] = msgspec.json.decode(msgspec.json.encode(summary))
    return decoded


def test_the_object_has_what_the_readme_promises() -> None:
    summary = _summary()
    assert summary["dataset_version"] == "ds-0123456789ab"
    assert summary["model_version"] == "metal-tags:1"
    assert summary["metrics"]["test"]["map50"] == 0.78  # type: ignore[index]
    assert summary["metrics"]["test"]["map"] == 0.47  # type: ignore[index]
    assert summary["variant"] == "int8"
    assert summary["released_digest"] == values.DIGEST
    assert summary["devices"] == [
        {"name": "tag-station-1", "healthy": True, "digest": values.DIGEST, "results": 28},
        {"name": "tag-station-2", "healthy": False, "digest": values.OTHER, "results": 0},
    ]
    assert (summary["results"], summary["captures"], summary["unchanged"]) == (28, 4, ["data"])


def test_below_the_gate_nothing_was_released() -> None:
    summary = _summary(released=False)
    assert (summary["state"], summary["released_digest"], summary["rollout"]) == ("gated_out", None, None)
    assert summary["devices"] == []
    assert summary["gates"][0]["value"] == 0.47  # type: ignore[index]
