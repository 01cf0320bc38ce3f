"""The check-in, which is nearly all that a fleet asks: who is it, and has anything changed?

One statement answers both: what the device may do and what is wanted of it are looked up in the database each time,
since somebody, or another control plane, may have changed them just now. Only what cannot change is kept in memory: the
contents of documents, by digest.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from lineside.contract.desired import Desired
from lineside.contract.device import AccessToken
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ReportsAnswer, ReportsRequest
from lineside.contract.schema_versions import CAPTURES, RESULTS, said
from lineside.server.access.tokens import AccessTokens
from lineside.server.clock import rfc3339
from lineside.server.database.lookups import Lookup
from lineside.server.devices.desired import Content, DesiredDocuments
from lineside.server.devices.proving import Proving
from lineside.server.devices.reports import Reports
from lineside.server.devices.seen import Seen
from lineside.server.devices.store import DesiredRow, DeviceRow, InquiryRow
from lineside.server.services import Core

_ASKED = (
    select(func.count(InquiryRow.id))
    .where(InquiryRow.device == DeviceRow.name, InquiryRow.done.is_(False), InquiryRow.expires_at > bindparam("now"))
    .scalar_subquery()
)
_LOOK = (
    select(DeviceRow.state, DeviceRow.last_seen, DesiredRow.revision, DesiredRow.content, _ASKED, DeviceRow.collecting)
    .join_from(DeviceRow, DesiredRow, DesiredRow.device == DeviceRow.name, isouter=True)
    .where(DeviceRow.name == bindparam("device"))
)


@dataclass(frozen=True, slots=True)
class Look:
    """What the database says of a device when it checks in."""

    state: str
    last_seen: str | None
    revision: int
    content: str | None  # digest of what its document says; None wants nothing
    asked: int  # how much people ask of it now
    collecting: int  # another number when what it should capture has changed


@dataclass(frozen=True, slots=True)
class Told:
    """An answer to "what should I run": the document, unless the device has it already."""

    etag: str
    look: Look
    document: Desired | None

    def headers(self) -> dict[str, str]:
        """Of the answer."""
        numbers = {"Lineside-Asked": self.look.asked, "Lineside-Collecting": self.look.collecting}
        told = {name: str(number) for name, number in numbers.items() if number}
        taken = {schema.header: said(schema.told) for schema in (RESULTS, CAPTURES)}
        return {"ETag": self.etag, **taken, **told}


class CheckIns:
    """Devices ask, and report. Everything here runs on the event loop and must not block it."""

    def __init__(self, core: Core, tokens: AccessTokens, proving: Proving, reports: Reports) -> None:
        self._core = core
        self._proving = proving
        self._tokens = tokens
        self._desired = DesiredDocuments(core)
        self._seen = Seen(core)
        self._lookup = Lookup(core.database, "check-ins", _LOOK)
        self._reports = reports

    async def token(self, assertion: str, source: str) -> AccessToken:
        """See `Proving.token`."""
        return await self._proving.token(assertion, source)

    def device_of(self, token: str) -> str:
        """See `AccessTokens.device_of`."""
        return self._tokens.device_of(token)

    async def look(self, device: str) -> Look | None:
        """How things stand with a device; None when there is none of this name."""
        found = await self._lookup({"device": device, "now": rfc3339(self._core.clock.now())})
        if found is None:
            return None
        state, last_seen, revision, content, asked, collecting = found
        return Look(state, last_seen, revision or 0, content, asked, collecting)

    async def ask(self, device: str, look: Look | None, tags: str) -> Told:
        """What the device should run, unless `tags` (as in If-None-Match) name it; asking counts as being seen.

        Raises `request.not_found`.
        """
        if look is None:
            raise LinesideError("request.not_found", what="device", name=device)
        await self._seen.hear(device, look.last_seen)
        etag = self._desired.etag(look.revision, look.content)
        if etag in tags and etag in [tag.strip() for tag in tags.split(",")]:
            return Told(etag, look, None)
        if look.content is None:
            return Told(etag, look, self._desired.document(device))
        content = self._desired.known(look.content)
        if content is None:
            content = await asyncio.to_thread(self._content, look.content)
        return Told(etag, look, self._desired.document(device, look.revision, content))

    async def report(self, device: str, request: ReportsRequest) -> ReportsAnswer:
        """See `Reports.accept`."""
        return await self._reports.accept(device, request)

    async def settle(self) -> None:
        """Write what is kept in memory: before the end."""
        await self._seen.flush()

    def _content(self, digest: str) -> Content:
        with self._core.database.read() as session:
            return self._desired.content(session, digest)
