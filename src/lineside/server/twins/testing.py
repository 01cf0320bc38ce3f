"""Twins for tests: they answer what they are asked to measure, as a test lets them.

answer_twins(core)                                   # all is well
answer_twins(core, answer(latency=900.0, restarts=1))
"""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from lineside.contract.inquiry import InquiryKind, InquiryPart
from lineside.contract.reported import Usage
from lineside.contract.twin import PROFILES, TestResult, TwinAnswer
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.store import DeviceRow, InquiryRow
from lineside.server.services import Core


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a twin measured."""

    golden: str = "matched"
    latency: float | None = 40.0  # ms, p95
    peak_mib: float = 120.0
    restarts: int = 0
    tests: tuple[TestResult, ...] = ()
    profile: str | None = "generic-x86"


def answer_twins(core: Core, said: Answered | None = None) -> list[str]:
    """Let every twin that is being asked to measure answer; which did."""
    with core.database.read() as session:
        asked = list(session.scalars(select(InquiryRow).where(InquiryRow.done.is_(False))))
        open_now = [(row.id, row.device) for row in asked if row.request.kind is InquiryKind.MEASURE]
    for inquiry, device in open_now:
        for number, part in enumerate(_parts(core, device, said or Answered())):
            Inquiries(core).accept(device, inquiry, msgspec.structs.replace(part, number=number))
    return [device for _, device in open_now]


def _parts(core: Core, device: str, said: Answered) -> list[InquiryPart]:
    with core.database.read() as session:
        report = session.get_one(DeviceRow, device).report
    running = report.running if report is not None else ()
    usage = Usage(cpu_percent=1.0, memory_bytes=1 << 20, peak_bytes=int(said.peak_mib * (1 << 20)))
    measured = tuple(
        msgspec.structs.replace(one, usage=usage, probe={"golden": said.golden}, restarts=said.restarts)
        for one in running
    )
    facts = {}
    if said.profile is not None:
        facts = {
            "profile": said.profile,
            "limits": "cgroup v1",
            "profile_values": msgspec.to_builtins(PROFILES[said.profile]),
        }
    code = next((one.name for one in running if one.name.endswith(".inference")), "")
    latency = [_latency(code, said.latency)] if said.latency is not None else []
    tests = [InquiryPart(number=0, test=one) for one in (*latency, *said.tests)]
    return [*tests, InquiryPart(number=0, measured=TwinAnswer(running=measured, facts=facts), done=True)]


def _latency(component: str, value: float) -> TestResult:
    output = f'{{"latency_ms": {{"p50": {value / 2}, "p95": {value}}}}}\n'
    return TestResult(component=component, name="latency", code=0, seconds=1.0, output=output)
