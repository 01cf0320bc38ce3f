"""Operations of people's API about groups of devices, and about labels."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.group import Changed, Group, GroupChange, GroupRequest, LabelsChange, Which


class Groups(Calls):
    """Groups and labels."""

    def groups(self) -> list[Group]:
        """All groups by name."""
        return self.connection.call("GET", "/groups", list[Group])

    def group(self, name: str) -> Group:
        """One group with what its devices follow; `devices(group=name)` are its devices."""
        return self.connection.call("GET", path("groups", name), Group)

    def create_group(self, request: GroupRequest) -> Group:
        """Make a group; with a selector it has what that selects, now and later."""
        return self.connection.call("POST", "/groups", Group, body=request)

    def change_group(self, name: str, change: GroupChange) -> Group:
        """Change a group's selector or description."""
        return self.connection.call("POST", path("groups", name), Group, body=change)

    def delete_group(self, name: str) -> Group:
        """Forget a group to which nothing is deployed; its devices stay."""
        return self.connection.call("POST", path("groups", name, "delete"), Group)

    def add_to_group(self, name: str, which: Which) -> Changed:
        """Put devices into a group."""
        return self.connection.call("POST", path("groups", name, "add"), Changed, body=which)

    def remove_from_group(self, name: str, which: Which) -> Changed:
        """Take devices out of a group."""
        return self.connection.call("POST", path("groups", name, "remove"), Changed, body=which)

    def label_devices(self, change: LabelsChange) -> Changed:
        """Set labels on devices, and take labels away."""
        return self.connection.call("POST", "/devices/labels", Changed, body=change)
