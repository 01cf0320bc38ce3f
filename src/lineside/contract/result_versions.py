"""Which version of the result schema a device and its control plane speak: the newest that both know.

Versions are numbers, in the schema of each result: `lineside.result/1`. A field that is added changes no version, and
readers pass over those they don't know; a version is new when who reads the one before would misread it.

    control plane ─ `Lineside-Results: 1, 2` with each answer to a check-in ─► agent ─ a file ─► runtime

A control plane says which versions it takes; one that says nothing is from before, and takes 1. The agent keeps the
last word in the file that `VARIABLE` names. A runtime passes on what the control plane takes as it is, and writes
anything else in the newest version that both know. With none in common the results wait on the device's disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.result import Result

HEADER = "Lineside-Results"
VARIABLE = "LINESIDE_RESULTS_TAKEN"
SILENT: tuple[int, ...] = (1,)
"""What a control plane takes that says nothing."""

_PREFIX = "lineside.result/"
_BEGINNING = b'{"schema":"lineside.result/'
_SCHEMA = re.compile(rf"{re.escape(_PREFIX)}([1-9][0-9]{{0,3}})")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")


class Form(NamedTuple):
    """One version: how a result is written in it, and read. `read` raises what `UNREADABLE` names."""

    write: Callable[[Result], bytes]
    read: Callable[[bytes], Result]


FORMS: Mapping[int, Form] = MappingProxyType({1: Form(msgspec.json.encode, msgspec.json.Decoder(Result).decode)})
"""The versions that this release reads and writes."""

TOLD: tuple[int, ...] = (1,)
"""Those of them that control planes say they take. A version is read by one release and told by the next: control
planes that are upgraded one by one, and one that goes back a release, then read all that devices send."""


class _Headed(msgspec.Struct):
    schema: str


def version_of(payload: bytes) -> int | None:
    """The version of a result's JSON; None when it is no result of ours."""
    if payload.startswith(_BEGINNING):
        number, quote, _ = payload[len(_BEGINNING) : len(_BEGINNING) + 5].partition(b'"')
        schema = _PREFIX + number.decode("latin-1") if quote else ""
    else:
        try:
            schema = msgspec.json.decode(payload, type=_Headed).schema
        except UNREADABLE:
            return None
    found = _SCHEMA.fullmatch(schema)
    return int(found[1]) if found else None


def said(versions: Collection[int]) -> str:
    """Versions as `HEADER` says them."""
    return ", ".join(str(one) for one in sorted(versions))


def heard(header: str) -> tuple[int, ...]:
    """What a control plane takes by its header; what is no number is passed over."""
    found = (part.strip() for part in header.split(",")[:100])
    return tuple(sorted({int(one) for one in found if _NUMBER.fullmatch(one)})) or SILENT


def spoken(payload: bytes, taken: Collection[int], forms: Mapping[int, Form] = FORMS) -> bytes:
    """A result as somebody takes it who knows the versions `taken`; what is no result of ours goes as it is. Raises
    `result.no_common_version`."""
    version = version_of(payload)
    if version is None or version in taken:
        return payload
    common = max(forms.keys() & set(taken), default=None)
    if common is None or version not in forms:
        raise LinesideError("result.no_common_version", taken=said(taken), version=version, known=said(forms))
    return forms[common].write(forms[version].read(payload))
