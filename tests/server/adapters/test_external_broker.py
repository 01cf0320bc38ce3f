"""A Mosquitto in the embedded broker's place: nothing is lost when either side goes, and devices gain nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.cli.mosquitto import check_filters
from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.server.adapters.external_broker import ExternalBroker
from lineside.server.broker_setup import mqtt_address
from lineside.server.testing import until
from tests.server.adapters.broker_site import Client, Site, external

pytestmark = pytest.mark.mosquitto


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr("lineside.server.adapters.external_broker._LOOK_SECONDS", 0.2)
    with external(tmp_path) as made:
        yield made


def test_results_wait_while_no_control_plane_reads_and_come_once(site: Site) -> None:
    site.wait(site.broker.stop())
    with Client(site, "cam-1").connected() as client:
        mids = [client.publish(topics.results("cam-1"), b"%d" % number) for number in range(300)]
        until(lambda: client.acknowledged.issuperset(mids))
    assert site.results == []
    site.broker = site.external()
    site.start(site.broker)
    until(lambda: len(site.results) >= 300)
    assert sorted(site.results) == sorted(("cam-1", b"%d" % number) for number in range(300))


def test_of_two_control_planes_one_reads_and_the_other_takes_over(site: Site) -> None:
    second = site.external(leads=lambda: not site.leader)
    site.leader = False
    site.wait(second.start())
    with Client(site, "cam-1").connected() as client:
        client.publish(topics.results("cam-1"), b"one")
        until(lambda: ("cam-1", b"one") in site.results)
        site.leader = True
        client.publish(topics.results("cam-1"), b"two")
        until(lambda: ("cam-1", b"two") in site.results)
        site.wait(second.stop())
        client.publish(topics.results("cam-1"), b"three")
        until(lambda: ("cam-1", b"three") in site.results)
    # While they change over, a result may come again: at least once, in order.
    assert list(dict.fromkeys(site.results)) == [("cam-1", b"one"), ("cam-1", b"two"), ("cam-1", b"three")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_broker_that_goes_hurts_nothing_and_is_used_again(site: Site, number: int) -> None:
    assert site.broker.needs() == ()
    site.mosquitto.end(number)
    until(site.broker.needs)
    assert "cannot be used" in site.broker.needs()[0].what
    site.broker.hint_all(["cam-1"])
    site.mosquitto.start()
    until(lambda: not site.broker.needs())
    assert isinstance(site.broker, ExternalBroker)
    site.wait(site.broker.up())
    with Client(site, "cam-1").connected() as client:
        client.subscribe(topics.hint("cam-1"))
        site.broker.hint("cam-1")
        client.publish(topics.results("cam-1"), b"one")
        until(lambda: client.messages and site.results)


def test_an_access_list_older_than_telemetry_keeps_results_coming(site: Site) -> None:
    """Written again by nobody yet: telemetry is not read, and nothing else changes."""
    site.mosquitto.end()
    acl = site.mosquitto.folder / "acl"
    old = [line for line in acl.read_text().splitlines() if not line.endswith("/telemetry")]
    acl.write_text("\n".join(old) + "\n")
    acl.chmod(0o600)
    site.mosquitto.start()
    assert isinstance(site.broker, ExternalBroker)
    site.wait(site.broker.up())
    with Client(site, "cam-1").connected() as client:
        client.publish(topics.telemetry("cam-1"), b"unheard")
        client.publish(topics.results("cam-1"), b"one")
        until(lambda: site.results)
    assert site.results == [("cam-1", b"one")]
    assert site.broker.needs() == ()


def test_a_revoked_certificate_is_not_let_in_once_mosquitto_has_read_the_list(site: Site) -> None:
    with Client(site, "cam-1", client_id="first").connected():
        pass
    site.mosquitto.revoke(*site.serials["cam-1"])
    site.mosquitto.tell(signal.SIGHUP)

    def refused() -> bool:
        client = Client(site, "cam-1", fresh=False)
        try:
            with client:
                until(lambda: client.lost.is_set() or client.connack is not None)
                return client.connack is None
        except OSError:
            return True

    until(refused)
    with Client(site, "cam-1", client_id="renewed").connected() as renewed:  # the same device, a new certificate
        renewed.publish(topics.results("cam-1"), b"one")
        until(lambda: site.results)


def test_who_takes_anothers_session_over_gets_nothing_from_it(site: Site) -> None:
    with Client(site, "cam-1", client_id="cam-1-agent").connected() as first:
        first.subscribe(topics.hint("cam-1"))
    with Client(site, "cam-2", client_id="cam-1-agent").connected() as thief:  # the session that was kept
        thief.subscribe(topics.hint("cam-2"))
        site.broker.hint_all(["cam-1", "cam-2"])
        until(lambda: thief.messages)
        assert thief.messages == [topics.hint("cam-2")]


def test_the_control_planes_name_is_no_devices() -> None:
    assert not is_name(topics.CONTROL_PLANE)


@pytest.mark.parametrize(
    "one", ["#", "+/x", "lineside/#", "lineside/v1/+/hint", "$SYS/#", "", "/x", "a/#/b", "a\nuser x"]
)
def test_filters_that_open_more_than_the_users_topics_are_refused(one: str) -> None:
    check_filters(["factory/#", "plant/+/state"])
    with pytest.raises(LinesideError, match="cannot be a topic"):
        check_filters([one])


@pytest.mark.parametrize("url", ["mqtt://x", "mqtts://", "mqtts://x:99999", "mqtts://x/y", "mqtts://u@x", "x:8883"])
def test_what_is_no_address_of_a_broker(url: str) -> None:
    assert mqtt_address("mqtts://broker.example.com") == ("broker.example.com", 8883)
    assert mqtt_address("mqtts://[::1]:1883/") == ("::1", 1883)
    with pytest.raises(LinesideError, match="mqtt_url"):
        mqtt_address(url)
