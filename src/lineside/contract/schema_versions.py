"""In which version of its schema something goes from a device to its control plane: the newest that both know.

Versions are numbers, in the schema of each value: `lineside.result/1`. A field that is added changes no version, and
readers pass over those they don't know; a version is new when who reads the one before would misread it.

    control plane ─ `Lineside-Results: 1, 2` with each answer to a check-in ─► agent ─ a file ─► runtime
                    `Lineside-Captures: 1, 2`                                  agent

A control plane says which versions it takes; one that says nothing is from before, and takes 1. What is in a version
that it takes goes as it is, and anything else in the newest version that both know. With none in common it waits on
the device's disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

import msgspec

from lineside.contract.capture import CaptureRecord
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.result import Result

T = TypeVar("T")

SILENT: tuple[int, ...] = (1,)
"""What a control plane takes that says nothing."""

FIXED = 1
"""The version in which results go to users' own systems, whatever device and control plane agree on."""

RESULTS_TAKEN = "LINESIDE_RESULTS_TAKEN"
"""The variable that names the file in which the agent keeps which results the control plane takes."""

_NUMBER = re.compile(r"[1-9][0-9]{0,3}")


class Form(NamedTuple, Generic[T]):
    """One version: how a value is written in it, and read. `read` raises what `UNREADABLE` names."""

    write: Callable[[T], bytes]
    read: Callable[[bytes], T]


class _Headed(msgspec.Struct):
    schema: str


@dataclass(frozen=True)
class Schema(Generic[T]):
    """A kind of value whose versions are agreed on."""

    name: str  # `lineside.result` of `lineside.result/1`
    header: str  # with it control planes say which versions they take
    forms: Mapping[int, Form[T]]
    """The versions that this release reads and writes."""
    told: tuple[int, ...]
    """Those of them that control planes say they take. A version is read by one release and told by the next: control
    planes that are upgraded one by one, and one that goes back a release, then read all that devices send."""
    none_in_common: str  # code of the error

    def version_of(self, payload: bytes) -> int | None:
        """The version of a value's JSON; None when it is none of this kind."""
        beginning = f'{{"schema":"{self.name}/'.encode()
        if payload.startswith(beginning):
            number, quote, _ = payload[len(beginning) : len(beginning) + 5].partition(b'"')
            return _numbered(number.decode("latin-1")) if quote else None
        try:
            schema = msgspec.json.decode(payload, type=_Headed).schema
        except UNREADABLE:
            return None
        name, slash, number_ = schema.partition("/")
        return _numbered(number_) if slash and name == self.name else None

    def spoken(self, payload: bytes, taken: Collection[int]) -> bytes:
        """A value's JSON as somebody takes it who knows the versions `taken`; what is none of this kind goes as it is.
        Raises the error `none_in_common`, and what reading raises (`UNREADABLE`)."""
        version = self.version_of(payload)
        if version is None or version in taken:
            return payload
        common = max(self.forms.keys() & set(taken), default=None)
        if common is None or version not in self.forms:
            raise LinesideError(self.none_in_common, taken=said(taken), version=version, known=said(self.forms))
        return self.forms[common].write(self.forms[version].read(payload))

    def fixed(self, payload: bytes) -> bytes:
        """A value's JSON for a user's own system: in the version `FIXED`. What a later release wrote than this one,
        before the device went back to this, stays as it is: that must not hold up what comes after it."""
        return self.spoken(payload, (FIXED,)) if self.version_of(payload) in self.forms else payload


def said(versions: Collection[int]) -> str:
    """Versions as a header says them."""
    return ", ".join(str(one) for one in sorted(versions))


def heard(header: str) -> tuple[int, ...]:
    """What a control plane takes by its header; what is no number is passed over."""
    found = (part.strip() for part in header.split(",")[:100])
    return tuple(sorted({int(one) for one in found if _NUMBER.fullmatch(one)})) or SILENT


def _numbered(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


_result = Form(msgspec.json.encode, msgspec.json.Decoder(Result).decode)
_record = msgspec.json.Decoder(CaptureRecord)
_FIRST_RESULT = "lineside.result/1"


def _read_capture(payload: bytes) -> CaptureRecord:
    """The first version of a capture's record holds the first of a result: of another this one would be misread."""
    record = _record.decode(payload)
    if record.result is not None and record.result.schema != _FIRST_RESULT:
        raise msgspec.ValidationError(f"its result is {record.result.schema!r}, not {_FIRST_RESULT}")
    return record


RESULTS: Schema[Result] = Schema(
    name="lineside.result",
    header="Lineside-Results",
    forms=MappingProxyType({1: _result}),
    told=(1,),
    none_in_common="result.no_common_version",
)
CAPTURES: Schema[CaptureRecord] = Schema(
    name="lineside.capture",
    header="Lineside-Captures",
    forms=MappingProxyType({1: Form(msgspec.json.encode, _read_capture)}),
    told=(1,),
    none_in_common="capture.no_common_version",
)
