"""Who is in which group: by hand, and by selectors, which SQL and the contract understand alike."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from sqlalchemy import select

from lineside.contract.selector import Selector, parse
from lineside.server.devices import facts, labels, membership
from lineside.server.devices.store import DeviceRow
from lineside.server.services import Core
from tests.contract.test_selector import SELECTORS
from tests.server.groups.fleet import add_devices, add_group, members, mixed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(SELECTORS)
def test_sql_and_the_contract_select_alike(selected_fleet: Core, selector: Selector) -> None:
    with selected_fleet.database.read() as session:
        found = session.scalars(select(DeviceRow.name).where(labels.selected(selector))).all()
        attributes = labels.attributes_of(session, list(mixed()))
    assert sorted(found) == [name for name, mine in attributes.items() if selector.matches(mine)]


def test_members_follow_labels_facts_and_the_selector(core: Core) -> None:
    add_devices(core, {"a": {"site": "berlin"}, "b": {"site": "hamburg"}, "c": {}})
    with core.database.write() as session:
        add_group(session, "berlin", "site=berlin")
        add_group(session, "big", "memory_mb>=4000")
        membership.follow_selector(session, "berlin")
    assert members(core, "berlin") == ["a"]
    with core.database.write() as session:
        labels.set_labels(session, ["b", "c"], {"site": "berlin"})
        labels.set_labels(session, ["a"], {"site": "x"})
        membership.follow_selectors(session, ["a", "b", "c"])
        assert facts.remember(session, session.get_one(DeviceRow, "c"), {"memory_bytes": 8e9, "os": "linux"})
    assert (members(core, "berlin"), members(core, "big")) == (["b", "c"], ["c"])
    with core.database.write() as session:
        session.get_one(membership.NamedGroupRow, "berlin").selector = "site=x"
        session.flush()
        membership.follow_selector(session, "berlin")
    assert members(core, "berlin") == ["a"]


def test_many_devices_follow_as_few_do(core: Core) -> None:
    names = [f"d{number:04}" for number in range(1200)]
    add_devices(core, {name: {} for name in names})
    with core.database.write() as session:
        add_group(session, "odd", "odd")
        add_group(session, "even", "!odd")
        membership.follow_selectors(session, names)
    assert members(core, "even") == names
    with core.database.write() as session:
        labels.set_labels(session, names[1::2], {"odd": ""})
        membership.follow_selectors(session, names[1::2])
    assert (members(core, "even"), members(core, "odd")) == (names[::2], names[1::2])


def test_who_was_put_there_stays_when_the_selector_lets_go(core: Core) -> None:
    add_devices(core, {"a": {"site": "berlin"}, "b": {"site": "berlin"}})
    with core.database.write() as session:
        add_group(session, "berlin", "site=berlin")
        membership.follow_selector(session, "berlin")
        assert membership.put(session, "berlin", ["a", "nobody"]) == 1
        assert membership.put(session, "berlin", ["a"]) == 0
        labels.remove_labels(session, ["a", "b"], ["site"])
        membership.follow_selectors(session, ["a", "b"])
    assert members(core, "berlin") == ["a"]
    with core.database.write() as session:
        labels.set_labels(session, ["a"], {"site": "berlin"})
        assert membership.take(session, "berlin", ["a"]) == 1  # the selector keeps it
    assert members(core, "berlin") == ["a"]


def test_twins_and_strangers_are_selected_by_nothing(core: Core) -> None:
    add_devices(core, {"t": {"site": "berlin"}}, twin=True)
    add_devices(core, {"p": {"site": "berlin"}}, state="pending")
    with core.database.write() as session:
        add_group(session, "all", "")
        membership.follow_selector(session, "all")
        membership.follow_selectors(session, ["t", "p"])
    assert members(core, "all") == []


def test_a_person_wins_over_the_device_and_the_device_comes_back(core: Core) -> None:
    add_devices(core, {"a": {}})
    with core.database.write() as session:
        row = session.get_one(DeviceRow, "a")
        said = {"labels": {"site": "berlin", "line": "3", "os": "mine", "-bad": "x"}, "os": "linux"}
        assert facts.remember(session, row, said)
        assert not facts.remember(session, row, said)
        labels.set_labels(session, ["a"], {"site": "hamburg", "own": "1"})
        facts.remember(session, row, said | {"labels": {"site": "bonn"}})
        assert labels.attributes_of(session, ["a"])["a"] == {"os": "linux", "own": "1", "site": "hamburg"}
        assert [(one.key, one.person) for one in labels.labels_of(session, ["a"])["a"]] == [
            ("own", True),
            ("site", True),
        ]
        labels.remove_labels(session, ["a"], ["site", "own"])
        assert labels.attributes_of(session, ["a"])["a"] == {"os": "linux", "site": "bonn"}
        assert not facts.remember(session, row, {"load": 3})
        assert parse("site=bonn").matches(labels.attributes_of(session, ["a"])["a"])
