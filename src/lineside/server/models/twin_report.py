"""The twins' report as pages show it."""

from __future__ import annotations

import msgspec

from lineside.contract.approval import TwinReport
from lineside.server.adapters.objects import ObjectStore

_SHOWN = 4000
"""Characters of a test's output on a page: the last; all that is kept is the blob."""


def read_twin_report(objects: ObjectStore, digest: str | None) -> TwinReport | None:
    """The report with this digest; None when it is not here."""
    if digest is None or not objects.exists(digest):
        return None
    return msgspec.json.decode(objects.get(digest), type=TwinReport)


def outputs_of(objects: ObjectStore, report: TwinReport | None) -> dict[str, str]:
    """The ends of what the tests of a report printed, by digest."""
    digests = {test.output for twin in report.twins for test in twin.tests} if report is not None else set()
    return {one: objects.get(one).decode(errors="replace")[-_SHOWN:] for one in digests if objects.exists(one)}
