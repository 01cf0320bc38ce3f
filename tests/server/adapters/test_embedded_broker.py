"""The embedded broker: it knows who was revoked at once, and acknowledges only what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.contract import topics
from lineside.server.testing import until
from tests.eventually import PATIENCE
from tests.server.adapters.broker_site import Client, Site, embedded


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with embedded(tmp_path) as made:
        yield made


def test_a_result_is_acknowledged_only_when_it_is_stored(site: Site) -> None:
    site.gate.clear()
    with Client(site, "cam-1").connected() as client:
        result = client.publish(topics.results("cam-1"), b"one")
        mine = client.publish("factory/line-3/scratches", b"two")
        until(lambda: mine in client.acknowledged)  # sent later, acknowledged: nothing has to be stored
        assert result not in client.acknowledged
        site.gate.set()
        until(lambda: result in client.acknowledged)
        assert site.results == [("cam-1", b"one")]


def test_filters_that_are_not_a_devices_own_are_refused(site: Site) -> None:
    with Client(site, "cam-1").connected() as first, Client(site, "cam-2").connected() as second:
        assert first.subscribe(topics.hint("cam-1")) < 0x80
        assert second.subscribe(topics.hint("cam-1")) == 0x80
        assert second.subscribe("#") == 0x80
        assert second.subscribe(topics.ALL_RESULTS) == 0x80
        assert second.subscribe(topics.hint("cam-2")) < 0x80
        site.broker.hint("cam-1")
        site.broker.hint("cam-2")
        until(lambda: first.messages and second.messages)
        assert (first.messages, second.messages) == ([topics.hint("cam-1")], [topics.hint("cam-2")])


def test_a_revoked_device_is_cut_off(site: Site) -> None:
    with Client(site, "cam-1").connected() as client:
        site.accepted.discard("cam-1")
        site.broker.drop("cam-1")
        assert client.lost.wait(PATIENCE)
        until(lambda: client.connack not in (0, None))
    assert site.results == []


def test_a_superseded_certificate_is_cut_off_and_the_new_one_stays(site: Site) -> None:
    with Client(site, "cam-1").connected() as old, Client(site, "cam-1", client_id="new").connected() as new:
        superseded = site.serials["cam-1"][0]
        site.refused.add(superseded)
        site.broker.drop("cam-1", superseded)
        assert old.lost.wait(PATIENCE)
        until(lambda: old.connack not in (0, None))
        mid = new.publish(topics.results("cam-1"), b"still here")
        until(lambda: mid in new.acknowledged)
        assert not new.lost.is_set()
    assert site.results == [("cam-1", b"still here")]


def test_a_device_cannot_take_anothers_session_over(site: Site) -> None:
    with Client(site, "cam-1").connected() as first:
        first.subscribe(topics.hint("cam-1"))
        with Client(site, "cam-2").connected() as second:  # the same client id, sessions kept
            second.publish(topics.results("cam-1"), b"forged")
            mid = second.publish(topics.results("cam-2"), b"own")
            until(lambda: mid in second.acknowledged)
            site.broker.hint("cam-1")
            until(lambda: first.messages)
            assert not first.lost.is_set()
            assert second.messages == []
    assert site.results == [("cam-2", b"own")]


@pytest.mark.parametrize("case", ["not joined", "revoked"])
def test_who_the_control_plane_does_not_know_is_not_let_in(site: Site, case: str) -> None:
    site.accepted.discard("cam-2")
    with Client(site, {"not joined": "ghost", "revoked": "cam-2"}[case]) as client:
        until(lambda: client.lost.is_set() or client.connack)
        assert client.connack != 0
