"""What is wrong with devices, as the first page says it: what several of them say alike is one line, as when their
broker is away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lineside.contract.alarm import raised
from lineside.contract.device import Device
from lineside.contract.overview import Need
from lineside.server.devices.listing import UNDECIDED, WRONG

_SILENT = ("offline", "revoked")
_WAITING = {"pending": ("waits", "wait", "to be accepted"), "quarantined": ("is", "are", "quarantined")}
_NAMED = 2  # of devices that say the same


@dataclass(frozen=True)
class _Worry:
    """What follows a device's name, and what follows several."""

    one: str
    many: str
    undecided: str = ""  # the word for devices that wait for a decision


@dataclass
class _Alike:
    worry: _Worry
    devices: list[str] = field(default_factory=list)

    def need(self) -> Need:
        first, *others = self.devices
        word = self.worry.undecided
        if word and others:
            href, command = f"/devices?summary={word}", f"lineside devices list --state {word}"
        else:
            href = f"/devices/{first}"
            command = f"lineside devices accept {first} --fingerprint F" if word else f"lineside devices show {first}"
        said = self.worry.many if others else self.worry.one
        return Need(what=f"{_names(self.devices)}{said}", href=href, command=command)


def worries(devices: Sequence[Device]) -> list[Need]:
    """Those that wait for a decision first, then by the first device that says it."""
    alike: dict[_Worry, _Alike] = {}
    for device in devices:
        for worry in _of(device):
            alike.setdefault(worry, _Alike(worry)).devices.append(device.name)
    return [one.need() for one in sorted(alike.values(), key=lambda one: not one.worry.undecided)]


def _of(device: Device) -> Iterator[_Worry]:
    """What a person should look at: that it does not run what it should, and what is wrong with the device itself.

    What a device said before it fell silent may have passed.
    """
    word = device.summary
    if word in UNDECIDED:
        one, many, what = _WAITING[word]
        yield _Worry(f" {one} {what}", f" {many} {what}", word)
    if word in WRONG:
        error = device.report.error if device.report else None
        why = f": {error.message}" if error else ""
        yield _Worry(f" is {word}{why}", f" are {word}{why}")
    conditions = (*device.report.conditions, *(one.report() for one in raised(device.report))) if device.report else ()
    if conditions and word not in _SILENT:
        more = f" (and {len(conditions) - 1} more)" if len(conditions) > 1 else ""
        said = f": {conditions[0].message}{more}"
        yield _Worry(said, said)


def _names(devices: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and 38 more`."""
    named, more = devices[:_NAMED], len(devices) - _NAMED
    return f"{', '.join(named)} and {more} more" if more > 0 else " and ".join(named)
