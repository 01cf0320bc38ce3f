"""How commands show rollouts: waves with a bar each, gates against their limits, history, devices."""

from __future__ import annotations

from collections import Counter

from rich.console import RenderableType
from rich.text import Text

from lineside.cli.device_view import problem
from lineside.cli.table import details, mark, rows, spaced, when
from lineside.contract.counted import counted
from lineside.contract.errors import ErrorReport
from lineside.contract.moves import Moved
from lineside.contract.rollout import (
    OPEN,
    DeviceProgress,
    GateCheck,
    Rollout,
    RolloutDevicePage,
    RolloutFailure,
    RolloutPage,
    RolloutState,
    WaveCounts,
)

_GOOD = {
    RolloutState.SUCCEEDED: True,
    RolloutState.FAILED: False,
    RolloutState.ROLLING_BACK: False,
    RolloutState.ABORTED: False,
}
_DEVICE_GOOD = {DeviceProgress.HEALTHY: True, DeviceProgress.FAILED: False}
_VERDICT = {True: "holds", False: "tripped", None: "not known yet"}
_SILENT = ErrorReport(
    code="failed", message="It does not say why.", next="See what it runs: lineside devices show DEVICE"
)
_BAR = 24  # columns
_PARTS = (
    ("healthy", "█", "green"),
    ("failed", "█", "red"),
    ("soaking", "▓", "cyan"),
    ("installing", "▒", "cyan"),
    ("notified", "░", "cyan"),
    ("unknown", "?", "yellow"),
    ("waiting", "·", "dim"),
)


def total(rollout: Rollout) -> Counter[str]:
    """The devices of all waves by progress."""
    return sum((Counter(wave.by) for wave in rollout.counts), Counter[str]())


def sentence(rollout: Rollout) -> str:
    """Where it stands, on one line."""
    words = ", ".join(f"{count} {name}" for name, count in sorted(total(rollout).items()))
    note = f"; {rollout.note}" if rollout.note else ""
    return (
        f"{rollout.id} {rollout.state.value}, wave {rollout.wave + 1} of {rollout.waves}: {words or 'no device'}{note}"
    )


def table(page: RolloutPage) -> RenderableType:
    """Those of a page, a line each."""
    lines = (
        (
            rollout.id,
            rollout.group,
            mark(_GOOD.get(rollout.state), rollout.state.value),
            f"{min(rollout.wave + 1, rollout.waves)}/{rollout.waves}",
            f"{total(rollout)['healthy']}/{sum(wave.devices for wave in rollout.counts)}",
            when(rollout.created_at),
            rollout.note,
        )
        for rollout in page.rollouts
    )
    headings = ("id", "group", "state", "wave", "healthy", "created", "waits for, or why it ended")
    return rows(headings, lines, "No rollout yet. Deploy something: lineside deployments create")


def details_of(rollout: Rollout) -> RenderableType:
    """One of them, with its waves, gates and history."""
    head = details(
        (
            ("id", rollout.id),
            ("deployment", rollout.deployment),
            ("group", rollout.group),
            ("state", mark(_GOOD.get(rollout.state), rollout.state.value)),
            ("now" if rollout.state in OPEN else "why", rollout.note),
            ("wave", f"{min(rollout.wave + 1, rollout.waves)} of {rollout.waves}"),
            ("created", when(rollout.created_at)),
            ("finished", when(rollout.finished_at)),
        )
    )
    parts = [head, rows(("wave", "devices", "", "stand"), map(_wave, rollout.counts), "No device yet.")]
    if rollout.gates:
        parts.append(rows(("gate", "outcome", "value", "limit", "reported"), map(_gate, rollout.gates), ""))
    parts += [problem(_where(one), one.error or _SILENT.on(one.device)) for one in rollout.failures]
    moves = ((when(move.at), _move(move), move.why) for move in rollout.history)
    return spaced([*parts, rows(("at", "move", "why"), moves, "Nothing happened yet.")])


def devices(page: RolloutDevicePage) -> RenderableType:
    """A page of devices."""
    lines = (
        (
            device.device,
            device.wave + 1,
            mark(_DEVICE_GOOD.get(device.progress), device.progress.value),
            when(device.told_at),
            {None: "", False: "on its way back", True: "back"}[device.back],
            f"{device.error.code}: {device.error.message}" if device.error else "",
        )
        for device in page.devices
    )
    shown = rows(("device", "wave", "progress", "told", "sent back", "error"), lines, "No such device.")
    more = Text(f"{len(page.devices)} of {page.total}" + (f"; go on with --after {page.next}" if page.next else ""))
    return spaced([shown, more])


def _where(failure: RolloutFailure) -> str:
    others = failure.devices - 1
    return failure.device + (f" and {counted(others, 'other')}" if others else "")


def _move(move: Moved) -> str:
    return move.wanted if move.current == move.wanted else f"{move.current} → {move.wanted}"


def _wave(wave: WaveCounts) -> tuple[RenderableType | int, ...]:
    name = Text(f"{wave.wave + 1} {wave.name}".rstrip())
    words = ", ".join(f"{count} {name}" for name, count in sorted(wave.by.items()))
    back = f"; {wave.back} of {wave.sent_back} back" if wave.sent_back else ""
    return name, wave.devices, _bar(wave), Text(words + back)


def _bar(wave: WaveCounts) -> Text:
    bar = Text()
    for name, sign, style in _PARTS:
        share = wave.by.get(name, 0) / max(wave.devices, 1)
        bar.append(sign * (max(1, round(share * _BAR)) if share else 0), style=style)
    return bar


def _gate(gate: GateCheck) -> tuple[RenderableType | str, ...]:
    reported = f"{gate.reported} of {gate.needed} needed" if gate.reported < gate.needed else str(gate.reported)
    verdict = mark(gate.passed, _VERDICT[gate.passed])
    return gate.name, verdict, _amount(gate, gate.value), _amount(gate, gate.limit), reported


def _amount(gate: GateCheck, value: float) -> str:
    """A value of a gate with its unit."""
    return f"{value * 100:.1f} %" if gate.unit == "%" else f"{value:.3g} {gate.unit}".rstrip()
