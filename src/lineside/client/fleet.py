"""Operations of people's API about devices."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.device import Device, JoinToken, JoinTokenRequest
from lineside.contract.inquiry import Inquiry, InquiryAnswer, InquiryRequest


class Fleet(Calls):
    """Devices."""

    def create_join_token(self, request: JoinTokenRequest) -> JoinToken:
        """Make a join token; its text is shown this once."""
        return self.connection.call("POST", "/devices/tokens", JoinToken, body=request)

    def devices(self) -> list[Device]:
        """All devices by name."""
        return self.connection.call("GET", "/devices", list[Device])

    def device(self, name: str) -> Device:
        """One device with its last report."""
        return self.connection.call("GET", path("devices", name), Device)

    def revoke_device(self, name: str) -> Device:
        """Take a device's leave to take part away."""
        return self.connection.call("POST", path("devices", name, "revoke"), Device)

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
