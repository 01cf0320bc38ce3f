"""The devices room as the app sees it."""

from __future__ import annotations

from lineside.server.access.ca import open_ca
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.access.tokens import AccessTokens
from lineside.server.devices import api, ask_pages, decision_pages, device_api, pages
from lineside.server.devices.certificates import Certificates
from lineside.server.devices.checkin import CheckIns
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.joining import Joining
from lineside.server.devices.proving import Proving
from lineside.server.devices.reports import Reports
from lineside.server.devices.service import Devices
from lineside.server.devices.standing import Standing
from lineside.server.services import Core, Loop, Room


def room(core: Core) -> Room:
    """Devices: how they join, what each should run, what each says."""
    ca = open_ca(core.keys, core.clock.now())
    join_tokens = JoinTokens(core, ca.sha256)
    certificates = Certificates(core, ca)
    standing = Standing(core, certificates)
    tokens, reports = AccessTokens(core), Reports(core)
    proving = Proving(core, tokens, certificates, standing)
    return Room(
        services={
            "devices": Devices(core),
            "proving": proving,
            "joining": Joining(core, certificates, join_tokens),
            "standing": standing,
            "certificates": certificates,
            "join_tokens": join_tokens,
            "reports": reports,
            "checkins": CheckIns(core, tokens, proving, reports),
            "inquiries": Inquiries(core),
        },
        people=api.routes,
        pages=[*pages.routes, *ask_pages.routes, *decision_pages.routes],
        devices=device_api.routes,
        loops=[Loop("revocations", certificates.keep_file, seconds=10.0, everywhere=True)],
    )
