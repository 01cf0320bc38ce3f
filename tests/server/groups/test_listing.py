"""The fleet is searched, filtered, counted and paged by SQL; each device has one word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import LinesideError
from lineside.server.clock import rfc3339
from lineside.server.devices import listing
from lineside.server.devices.listing import Filter
from lineside.server.devices.store import DesiredContentRow, DesiredRow, DeviceRow
from lineside.server.services import Core
from tests.server.groups.fleet import add_devices

EMPTY, SOMETHING = "sha256:" + "0" * 64, "sha256:" + "1" * 64
SPOKEN: dict[str, tuple[dict[str, Any], tuple[int, str] | None, str, bool]] = {
    # name: columns, (desired revision, content), its word, healthy
    "fresh": ({}, None, "idle", False),
    "idle": ({"phase": "idle", "revision": 0}, None, "idle", False),
    "emptied": ({"phase": "idle", "revision": 4}, (4, EMPTY), "idle", False),
    "emptying": ({"phase": "healthy", "revision": 3, "outcome": "healthy"}, (4, EMPTY), "waiting", False),
    "untold": ({}, (1, SOMETHING), "waiting", False),
    "behind": ({"phase": "healthy", "revision": 1, "outcome": "healthy"}, (2, SOMETHING), "waiting", False),
    "busy": ({"phase": "installing", "revision": 2, "outcome": "installing"}, (2, SOMETHING), "installing", False),
    "good": ({"phase": "healthy", "revision": 2, "outcome": "healthy"}, (2, SOMETHING), "healthy", True),
    "liar": ({"phase": "healthy", "revision": 2, "outcome": "failed"}, (2, SOMETHING), "different", False),
    "back": ({"phase": "rolled_back", "revision": 2, "outcome": "failed"}, (2, SOMETHING), "rolled back", False),
    "bad": ({"phase": "failed", "revision": 2, "outcome": "failed"}, (2, SOMETHING), "failed", False),
    "gone": ({"phase": "healthy", "revision": 2, "outcome": "healthy"}, (2, SOMETHING), "offline", True),
    "new": ({"state": "pending"}, None, "pending", False),
    "odd": ({"state": "quarantined", "phase": "healthy", "revision": 2}, (2, SOMETHING), "quarantined", False),
    "out": ({"state": "revoked"}, None, "revoked", False),
}


@pytest.fixture
def spoken(core: Core) -> Core:
    """A device for each word."""
    long_ago = rfc3339(core.clock.now() - timedelta(days=1))
    for name, (columns, _, word, _) in SPOKEN.items():
        add_devices(core, {name: {"word": word}}, **columns, **({"last_seen": long_ago} if name == "gone" else {}))
    with core.database.write() as session:
        for digest, components in ((EMPTY, ()), (SOMETHING, _component())):
            session.add(
                DesiredContentRow(digest=digest, components=components, deployment=None, failure_policy="ROLLBACK")
            )
        session.flush()
        for name, (_, wanted, _, _) in SPOKEN.items():
            if wanted:
                session.add(DesiredRow(device=name, revision=wanted[0], content=wanted[1]))
    return core


def _component() -> Any:
    return (DesiredComponent(name="a", version="1.0.0", target="x", recipe_digest=SOMETHING),)


def _cutoff(core: Core) -> str:
    return rfc3339(core.clock.now() - timedelta(minutes=10))


def test_each_device_has_its_word(spoken: Core) -> None:
    with spoken.database.read() as session:
        rows = listing.page(session, Filter(), _cutoff(spoken), "", 100)
        found = {row.DeviceRow.name: (row.summary, row.healthy) for row in rows}
        counts = listing.counts(session, Filter(), _cutoff(spoken)).all
    assert found == {name: (word, healthy) for name, (_, _, word, healthy) in SPOKEN.items()}
    assert sum(counts.values()) == len(SPOKEN)
    assert (counts["waiting"], counts["idle"], next(iter(counts))) == (3, 3, "healthy")


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (Filter(q="O"), ["gone", "good", "odd", "out", "untold"]),
        (Filter(q="%"), []),
        (Filter(summary="different"), ["liar"]),
        (Filter(summary="failed, rolled back"), ["back", "bad"]),
        (Filter(summary="accepted", q="o"), ["gone", "good", "untold"]),
        (Filter(selector="word in (failed, different)"), ["bad", "liar"]),
        (Filter(selector="word!=idle", summary="idle"), []),
        (Filter(group="nothing"), []),
        (Filter(group="default", q="fresh"), ["fresh"]),
    ],
)
def test_filters_hold_together(spoken: Core, which: Filter, expected: list[str]) -> None:
    with spoken.database.read() as session:
        rows = listing.page(session, which, _cutoff(spoken), "", 100)
        assert [row.DeviceRow.name for row in rows] == expected
        assert listing.count(session, which, _cutoff(spoken)) == len(expected)
        assert sum(listing.counts(session, which, _cutoff(spoken)).all.values()) == len(expected)
        assert listing.names(session, which, _cutoff(spoken)) == expected


def test_what_needs_a_look(spoken: Core) -> None:
    with spoken.database.write() as session:
        session.get_one(DeviceRow, "good").conditions = 1
        session.get_one(DeviceRow, "gone").conditions = 1
    with spoken.database.read() as session:
        found = [row.DeviceRow.name for row in listing.troubled(session, _cutoff(spoken), 100)]
        assert [row.DeviceRow.name for row in listing.troubled(session, _cutoff(spoken), 2)] == found[:2]
        assert [tuple(row) for row in listing.squares(session, _cutoff(spoken), 1)] == [("back", "rolled back", 0)]
        assert listing.names(session, Filter(summary="troubled"), _cutoff(spoken)) == found
        assert listing.count(session, Filter(summary="troubled,offline"), _cutoff(spoken)) == len(found) + 1
        assert listing.names(session, Filter(summary="troubled", q="o"), _cutoff(spoken)) == ["good", "odd"]
    assert found == ["back", "bad", "good", "liar", "new", "odd"]


def test_a_selector_that_cannot_be_read_is_refused(core: Core) -> None:
    with core.database.read() as session, pytest.raises(LinesideError, match="character 3"):
        listing.count(session, Filter(selector="a="), _cutoff(core))
