"""How one device is drawn: what is wrong with it, what it should run beside what it runs, and its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from lineside.cli.table import BAD, DIM, details, mark, rows, short, size, spaced, when
from lineside.contract.alarm import raised
from lineside.contract.desired import DesiredComponent
from lineside.contract.device import Device
from lineside.contract.errors import ErrorReport
from lineside.contract.reported import ComponentState, ReportedComponent
from lineside.contract.shadow import shadow_of
from lineside.contract.twin import facts_in_words

_GOOD = {
    ComponentState.RUNNING: True,
    ComponentState.FINISHED: True,
    ComponentState.ERRORED: False,
    ComponentState.BROKEN: False,
}


def device_view(device: Device) -> RenderableType:
    """Everything that is known about a device."""
    report = device.report
    parts = [_head(device)]
    if report is not None:
        parts += _problems(device.name, [("", report.error), *(("device", one) for one in report.conditions)])
        parts += _problems(device.name, (("", one.report()) for one in raised(report)))
    parts.append(_components(device))
    if report is not None:
        parts += _problems(device.name, ((one.name, one.error) for one in report.running))
        shadows = ((one.name, shadow_of(one.probe)) for one in report.running)
        parts += [Text(f"Shadow of {name}: {shadow.told}") for name, shadow in shadows if shadow]
        parts.append(details(_fact(name, value) for name, value in flat(facts_in_words(report.facts))))
    return spaced(parts)


def flat(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Facts without depth: `link: {kind: …}` is `link kind`."""
    for name, value in facts.items():
        words = f"{before}{name}"
        if isinstance(value, Mapping) and "unit" not in value:
            yield from flat(value, f"{words} ")
        else:
            yield words, value


def _fact(name: str, value: Any) -> tuple[str, str]:
    """A fact as people read it: bytes in their unit, percents and degrees as such, measurements as one line."""
    if isinstance(value, Mapping):
        mean, low, high = (f"{value.get(key, 0):g}" for key in ("mean", "min", "max"))
        return name, f"{value.get('last', 0):g} {value['unit']} (mean {mean}, {low} to {high})"
    for unit, text in _UNITS.items():
        if name.endswith(unit) and isinstance(value, int | float):
            return name.removesuffix(unit).replace("_", " "), text(value)
    return name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value)


_UNITS: dict[str, Callable[[float], str]] = {
    "_bytes": lambda value: size(int(value)),
    "_percent": lambda value: f"{value:.1f} %",
    "_celsius": lambda value: f"{value:.0f} °C",
    "_seconds": lambda value: f"{value:.0f} s" if value < 7200 else f"{value / 3600:.0f} h",
}


def _head(device: Device) -> RenderableType:
    report = device.report
    return details(
        (
            ("name", device.name),
            ("state", mark(device.healthy, device.summary)),
            ("access", f"{device.state.value}{f', {device.state_why}' if device.state_why else ''}"),
            ("key", device.fingerprint or None),
            ("certificate ends", when(device.certificate_ends)),
            ("kind", "twin" if device.twin else "device"),
            ("groups", ", ".join(device.groups)),
            ("keeps what it has", mark(False, device.conflict.message) if device.conflict else None),
            ("labels", ", ".join(f"{label.key}={label.value}" for label in device.labels)),
            ("selected by", ", ".join(f"{key}={value}" for key, value in device.facts.items())),
            ("joined", when(device.joined_at)),
            ("last seen", when(device.last_seen)),
            ("desired revision", device.desired_revision),
            ("reported revision", report.revision if report else None),
            ("phase", report.phase.value if report else None),
        )
    )


def _components(device: Device) -> RenderableType:
    wanted = {one.name: one for one in device.wanted}
    running = {one.name: one for one in (device.report.running if device.report else ())}
    lines = (_line(name, wanted.get(name), running.get(name)) for name in sorted(wanted.keys() | running.keys()))
    headings = ("component", "wanted", "runs", "state", "restarts", "cpu", "memory", "limits", "golden", "model file")
    return rows(headings, lines, "It runs nothing, and should not.")


def _line(name: str, wanted: DesiredComponent | None, running: ReportedComponent | None) -> Iterable[Any]:
    version = wanted.version if wanted else None
    if running is None:
        return (name, version, mark(False, "nothing"), *(None,) * 7)
    same = wanted is None or wanted.recipe_digest == running.recipe_digest
    usage = running.usage
    return (
        name,
        version,
        mark(None if same else False, running.version if same else f"{running.version} (differs)"),
        mark(_GOOD.get(running.state), running.state.value),
        running.restarts,
        f"{usage.cpu_percent:.1f} %" if usage else None,
        size(usage.memory_bytes) if usage else None,
        running.limits or None,
        running.probe.get("golden"),
        short(running.artifacts.get("model.onnx", "")) or None,
    )


def _problems(device: str, found: Iterable[tuple[str, ErrorReport | None]]) -> list[RenderableType]:
    return [problem(where, error.on(device)) for where, error in found if error is not None]


def problem(where: str, error: ErrorReport) -> RenderableType:
    """What is wrong where, and the next step below it."""
    text = Text()
    text.append(f"{where}: " if where else "")
    text.append(error.code, style=BAD)
    text.append(f" {error.message}")
    if error.next:
        text.append(f"\n  Next: {error.next}", style=DIM)
    return text
