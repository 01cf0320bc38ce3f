"""Operations of people's API about devices."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.device import (
    AcceptRequest,
    Device,
    DevicePage,
    JoinToken,
    JoinTokenInfo,
    JoinTokenRequest,
    Preauthorisation,
    PreauthorisedPage,
)
from lineside.contract.inquiry import Inquiry, InquiryAnswer, InquiryRequest


class Fleet(Calls):
    """Devices."""

    def create_join_token(self, request: JoinTokenRequest) -> JoinToken:
        """Make a join token; its text is shown this once."""
        return self.connection.call("POST", "/devices/tokens", JoinToken, body=request)

    def device_page(
        self,
        *,
        q: str = "",
        summary: str = "",
        group: str = "",
        selector: str = "",
        after: str = "",
        limit: int = 100,
    ) -> DevicePage:
        """Devices by name, those after a name: with `q` in it, one of the words `summary` (commas between), in a group,
        selected by their labels and facts."""
        query = {"q": q, "summary": summary, "group": group, "selector": selector, "after": after}
        given = {name: text for name, text in query.items() if text}
        return self.connection.call("GET", "/devices", DevicePage, query={**given, "limit": limit})

    def devices(self, *, q: str = "", summary: str = "", group: str = "", selector: str = "") -> list[Device]:
        """All of them, page by page; see `device_page`."""
        found: list[Device] = []
        after: str | None = ""
        while after is not None:
            page = self.device_page(q=q, summary=summary, group=group, selector=selector, after=after, limit=500)
            found += page.devices
            after = page.next
        return found

    def device(self, name: str) -> Device:
        """One device with its last report."""
        return self.connection.call("GET", path("devices", name), Device)

    def accept_device(self, name: str, request: AcceptRequest) -> Device:
        """Let a pending or quarantined device take part; the request names the key that was looked at."""
        return self.connection.call("POST", path("devices", name, "accept"), Device, body=request)

    def quarantine_device(self, name: str, *, why: str = "") -> Device:
        """Let a device report, and install nothing."""
        return self.connection.call("POST", path("devices", name, "quarantine"), Device, query={"why": why or None})

    def revoke_device(self, name: str, *, why: str = "") -> Device:
        """Take a device's leave to take part away, for good; a pending one is turned away."""
        return self.connection.call("POST", path("devices", name, "revoke"), Device, query={"why": why or None})

    def join_tokens(self) -> list[JoinTokenInfo]:
        """Join tokens that still open the door, newest first."""
        return self.connection.call("GET", "/join-tokens", list[JoinTokenInfo])

    def revoke_join_token(self, id: str) -> JoinTokenInfo:
        """Take a join token back."""
        return self.connection.call("POST", path("join-tokens", id, "revoke"), JoinTokenInfo)

    def preauthorised(self, *, offset: int = 0, limit: int = 100) -> PreauthorisedPage:
        """Keys that may join without a token, by name."""
        query = {"offset": offset, "limit": limit}
        return self.connection.call("GET", "/preauthorised", PreauthorisedPage, query=query)

    def preauthorise(self, request: Preauthorisation) -> Preauthorisation:
        """Let a key join without a token, once, under one name."""
        return self.connection.call("POST", "/preauthorised", Preauthorisation, body=request)

    def remove_preauthorised(self, fingerprint: str) -> Preauthorisation:
        """A key may not join without a token any more."""
        return self.connection.call("POST", path("preauthorised", fingerprint, "remove"), Preauthorisation)

    def ask_device(self, name: str, request: InquiryRequest) -> Inquiry:
        """Ask a device for its logs or its diagnosis; see `lineside.client.asking` for reading the answer."""
        return self.connection.call("POST", path("devices", name, "inquiries"), Inquiry, body=request)

    def inquiry(self, name: str, inquiry: str, *, after: int = -1) -> InquiryAnswer:
        """What a device has answered after the part numbered `after`."""
        where = path("devices", name, "inquiries", inquiry)
        return self.connection.call("GET", where, InquiryAnswer, query={"after": after})

    def end_inquiry(self, name: str, inquiry: str) -> InquiryAnswer:
        """End it: the device says no more about it."""
        return self.connection.call("POST", path("devices", name, "inquiries", inquiry, "end"), InquiryAnswer)
