"""Groups and labels over people's API, as the client offers them."""

from __future__ import annotations

import pytest

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.group import GroupChange, GroupRequest, LabelsChange, Which
from lineside.server.testing import Running
from tests.server.groups.fleet import add_devices


@pytest.fixture
def client(lineside: Running) -> Client:
    """A client of a control plane with four devices and a twin."""
    add_devices(lineside.core, {"a": {"site": "berlin"}, "b": {"site": "berlin"}, "c": {}, "d": {}}, group="line-1")
    add_devices(lineside.core, {"t": {}}, group="twins", twin=True)
    return Client(lineside.people_url)


def test_a_group_selects_and_follows(client: Client) -> None:
    made = client.create_group(GroupRequest(name="berlin", selector="site = berlin,!spare", description="of the wall"))
    assert (made.selector, made.devices, made.selected) == ("site=berlin, !spare", 2, 2)
    assert client.label_devices(LabelsChange(which=Which(selector="site=berlin"), set={"spare": "yes"})).devices == 2
    assert client.group("berlin").devices == 0
    assert client.label_devices(LabelsChange(which=Which(devices=("a",)), remove=("spare",))).devices == 1
    assert [one.name for one in client.devices(group="berlin")] == ["a"]
    assert client.device("a").groups == ("berlin", "line-1")
    assert [(one.name, one.devices) for one in client.groups()] == [("berlin", 1), ("line-1", 4), ("twins", 1)]
    changed = client.change_group("berlin", GroupChange(selector=""))
    assert (changed.selector, changed.devices, changed.description) == (None, 0, "of the wall")
    assert client.delete_group("berlin").name == "berlin"
    assert [one.name for one in client.groups()] == ["line-1", "twins"]


def test_devices_are_put_there_and_taken_out(client: Client) -> None:
    client.create_group(GroupRequest(name="some", selector="site"))
    assert client.add_to_group("some", Which(devices=("c", "a"))).devices == 2
    assert client.remove_from_group("some", Which(devices=("c", "d"))).devices == 1
    assert client.group("some").devices == 2
    assert client.group("some").selected == 1  # b; a was put there too
    with pytest.raises(LinesideError, match="selector selects them") as raised:
        client.remove_from_group("some", Which(selector="site"))
    assert raised.value.code == "group.selected"
    assert client.group("some").devices == 2


@pytest.mark.parametrize(
    ("code", "name", "which"),
    [
        ("group.unknown", "nowhere", Which(devices=("a",))),
        ("group.reserved", "twins", Which(devices=("a",))),
        ("group.reserved", "line-1", Which(devices=("a", "t"))),
        ("group.no_devices", "line-1", Which()),
        ("group.no_devices", "line-1", Which(selector=" ")),
        ("group.no_devices", "line-1", Which(devices=("a",), selector="site")),
        ("request.not_found", "line-1", Which(devices=("a", "z"))),
        ("selector.invalid", "line-1", Which(selector="site in berlin")),
    ],
)
def test_what_is_refused(client: Client, code: str, name: str, which: Which) -> None:
    with pytest.raises(LinesideError) as raised:
        client.add_to_group(name, which)
    assert raised.value.code == code
    assert client.group("line-1").devices == 4


def test_what_else_is_refused(client: Client) -> None:
    for code, act in {
        "group.exists": lambda: client.create_group(GroupRequest(name="line-1")),
        "group.reserved": lambda: client.create_group(GroupRequest(name="twins")),
        "request.invalid": lambda: client.create_group(GroupRequest(name="no name")),
        "selector.invalid": lambda: client.change_group("line-1", GroupChange(selector="a=")),
        "label.is_fact": lambda: client.label_devices(LabelsChange(which=Which(devices=("a",)), set={"arch": "x"})),
        "label.invalid": lambda: client.label_devices(LabelsChange(which=Which(devices=("a",)), set={"-": "x"})),
    }.items():
        with pytest.raises(LinesideError) as raised:
            act()
        assert raised.value.code == code


def test_devices_come_in_pages(client: Client) -> None:
    first = client.device_page(limit=2)
    assert ([one.name for one in first.devices], first.total, first.next) == (["a", "b"], 5, "b")
    rest = client.device_page(limit=3, after="b")
    assert ([one.name for one in rest.devices], rest.next) == (["c", "d", "t"], None)
    assert [one.name for one in client.devices(selector="site=berlin", q="B")] == ["b"]
    assert [one.name for one in client.devices(summary="idle", group="line-1")] == ["a", "b", "c", "d"]
