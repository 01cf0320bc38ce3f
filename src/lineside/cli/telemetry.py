"""`lineside devices telemetry`: how a device's runtimes do."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.asking import Name
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import rows, when
from lineside.contract.telemetry import DeviceTelemetry, TelemetryPoint

_SHOWN = 30


def telemetry(
    name: Name,
    hours: Annotated[
        int, typer.Option("--hours", min=1, max=336, help="Of the last hours: by minute up to 3, by hour beyond.")
    ] = 1,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show how a device's runtimes do: images a second, latency, what was left out and why, memory, temperature."""
    with session(url, root, json) as (client, out):
        out.show(client.device_telemetry(name, hours=hours), _view)


def _view(told: DeviceTelemetry) -> RenderableType:
    headings = (
        "until", "component", "fps", "p50 ms", "p95 ms", "p99 ms", "waited", "late", "failed", "skipped", "memory",
        "temperature", "throttled",
    )  # fmt: skip
    lines = (_line(one) for one in told.points[-_SHOWN:])
    return rows(headings, lines, "It has told nothing: a runtime does so once a minute, over MQTT.")


def _line(one: TelemetryPoint) -> tuple[str | int | None, ...]:
    machine = one.machine
    return (
        when(one.at),
        one.component or None,
        f"{one.fps:.1f}",
        _number(one.latency_p50_ms),
        _number(one.latency_p95_ms),
        _number(one.latency_p99_ms),
        one.waiting,
        one.late,
        one.failed,
        ", ".join(f"{why} {count}" for why, count in one.skipped.items()) or None,
        None if machine.memory_mb is None else f"{machine.memory_mb:.0f} MB",
        None if machine.temperature_celsius is None else f"{machine.temperature_celsius:.0f} °C",
        None if machine.throttled_percent is None else f"{machine.throttled_percent:.0f} %",
    )


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"
