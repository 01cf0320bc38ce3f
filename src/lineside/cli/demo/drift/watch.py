"""What is watched: windows of each device, first as usual, then on one otherwise; alarms, and when they are over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from lineside.cli.demo.display import Stage
from lineside.cli.demo.drift.line import CHANGED, USUAL, Labelled, Line
from lineside.cli.demo.rollout import CONFIGURATION, now
from lineside.cli.demo.scene import Scene
from lineside.client import Client
from lineside.contract.drift_alarm import AlarmState, DriftAlarm, DriftScope, DriftStream
from lineside.contract.model import ModelVersion

WINDOW = 20.0
"""Seconds of a window: ten minutes on a line that nobody waits for."""

WATCHED: dict[str, Any] = CONFIGURATION | {
    "drift": {"every_minutes": WINDOW / 60, "look_share": 0.05},
    "capture": {
        "random": 0.05,
        "strategies": [{"kind": "drift", "per_hour": 120}, {"kind": "uncertain", "per_hour": 10}],
    },
}
"""What the devices of this story are configured with: short windows have few pictures, and most are looked at; what
shows drift has a budget of its own, which nothing else spends before."""

_USUAL, _NEAR = 2, 3  # windows of each device before the line changes, and after the next model has come
_SECONDS = 300.0  # without a new window


@dataclass(frozen=True)
class Change:
    """Where the line changed, and when (RFC 3339)."""

    device: str
    at: str


class DriftTold(msgspec.Struct, frozen=True, kw_only=True):
    """Drift as the control plane told of it. `raised_within_windows`: how many windows had ended since the change when
    the alarm was raised. `false_devices`: others that had an alarm at any time. `cleared`: every alarm is over, and the
    windows of the next model raised none."""

    device: str
    raised_within_windows: int
    false_devices: Sequence[str]
    cleared: bool
    quantities: Mapping[str, float]  # the shift of each that was held, in spreads of what is usual
    causes: Sequence[str]
    captures: int  # that the device kept because of it


def watch_usual(
    scene: Scene, model: ModelVersion, line: Line, stations: Sequence[str], pictures: list[Labelled]
) -> None:
    """Every device sees what is usual, for some windows."""
    with scene.display.stage("watch", "Watch what is usual") as stage:
        for number, device in enumerate(stations):
            first = number * len(pictures) // len(stations)
            line.show(device, pictures[first:] + pictures[:first])
        _windows(scene, model, stations, _USUAL, stage)
        alarms = scene.plane.ask(lambda client: client.drift_alarms().total)
        stage.outcome = f"windows of {WINDOW:.0f} s, {USUAL} on {len(stations)} devices, {alarms} alarms"


def change(scene: Scene, line: Line, device: str, pictures: Sequence[Labelled]) -> tuple[Change, DriftAlarm]:
    """The line changes at one device; the alarm that comes of it."""
    with scene.display.stage("drift", f"The line changes at {device}") as stage:
        changed = Change(device, now())
        scene.root.told.touch()
        line.show(device, pictures)
        raised = scene.plane.wait(
            lambda client: (client.drift_alarms(device=device).alarms, _seen(client, device)),
            lambda seen: bool(seen[0]),
            what=f"drift to be raised on {device}",
            where=f"{scene.plane.url}/drift",
            seconds=_SECONDS,
            moved=lambda seen: stage.move(device, 0.5, f"{CHANGED}: {seen[1]} windows") or seen[1],
        )
        alarm = raised[0][0]
        windows = windows_between(changed.at, alarm.raised_at)
        stage.outcome = f"raised within {windows} windows: {', '.join(sorted(alarm.quantities))}"
    return changed, alarm


def watch_clear(scene: Scene, model: ModelVersion, stations: Sequence[str]) -> None:
    """Some windows of the next model on every device."""
    with scene.display.stage("clear", "Watch drift end") as stage:
        _windows(scene, model, stations, _NEAR, stage)
        open_ = scene.plane.ask(lambda client: client.drift_alarms().alarms)
        stage.outcome = "; ".join(f"alarm {one.number} on {one.name} is open" for one in open_) or "no alarm is open"


def drift_told(scene: Scene, changed: Change, alarm: DriftAlarm, captures: int) -> DriftTold:
    """What the control plane says of all this in the end."""
    alarms = scene.plane.ask(lambda client: client.drift_alarms(cleared=True, limit=1000).alarms)
    of_devices = [one for one in alarms if one.scope is DriftScope.DEVICE]
    mine = [one for one in of_devices if one.name == changed.device]
    first = next(one for one in mine if one.number == alarm.number)
    return DriftTold(
        device=changed.device,
        raised_within_windows=windows_between(changed.at, first.raised_at),
        false_devices=sorted({one.name for one in of_devices} - {changed.device}),
        cleared=all(one.state is AlarmState.CLEARED and one.version == alarm.version for one in mine),
        quantities={name: one.shift for name, one in sorted(first.quantities.items())},
        causes=[one.name for one in first.causes],
        captures=captures,
    )


def windows_between(since: str, until: str, seconds: float = WINDOW) -> int:
    """How many windows ended between two moments (RFC 3339): they begin and end by the clock."""
    first, last = (datetime.fromisoformat(moment).timestamp() // seconds for moment in (since, until))
    return int(last - first)


def _windows(scene: Scene, model: ModelVersion, stations: Sequence[str], wanted: int, stage: Stage) -> None:
    """Wait until each device has told of so many windows of a model version."""

    def count(client: Client) -> dict[str, int]:
        streams = client.drift_streams(scope=DriftScope.DEVICE).streams
        mine = {one.name: one.windows for one in streams if _is_of(one, model)}
        return {name: mine.get(name, 0) for name in stations}

    def moved(counts: dict[str, int]) -> object:
        for name, windows in counts.items():
            stage.move(name, min(windows / wanted, 1.0), f"{windows} windows")
        return counts

    scene.plane.wait(
        count,
        lambda counts: all(windows >= wanted for windows in counts.values()),
        what=f"{wanted} windows of {model.label} from every device",
        where=f"{scene.plane.url}/drift",
        seconds=_SECONDS,
        moved=moved,
    )


def _is_of(stream: DriftStream, model: ModelVersion) -> bool:
    return (stream.model, stream.version) == (model.name, model.version)


def _seen(client: Client, device: str) -> int:
    return sum(one.windows for one in client.drift_streams(scope=DriftScope.DEVICE, name=device).streams)
