"""AWS's own SDK, both clients: configuration, its validation, and updates that a component may put off."""

from __future__ import annotations

import datetime
import threading
from typing import Any

import pytest
from awsiot.greengrasscoreipc import model as m

from tests.agent.bus.harness import House
from tests.agent.bus.sdk import Events, Sdk
from tests.eventually import eventually

pytestmark = pytest.mark.parametrize("version", [1, 2])

NOW = datetime.datetime.now(datetime.UTC)


def _update(value: Any, path: list[str] | None = None, at: datetime.datetime = NOW) -> m.UpdateConfigurationRequest:
    return m.UpdateConfigurationRequest(key_path=path, timestamp=at, value_to_merge=value)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (["nested"], {"Key": "value", "none": None, "text": "ä€😀"}),
        (["level"], {"level": 3}),
        (["LEVEL"], {"level": 3}),
        (["Nested", "key"], {"Key": "value"}),
        (["nested", "none"], {"none": None}),
        (["nested", "text"], {"text": "ä€😀"}),
    ],
)
def test_awsiotsdk_reads_configuration(house: House, version: int, path: list[str], expected: Any) -> None:
    answer = Sdk(house, version).call(m.GetConfigurationRequest(key_path=path))
    assert (answer.component_name, answer.value) == ("app", expected)


def test_awsiotsdk_reads_all_of_its_own_and_of_others_without_a_policy(house: House, version: int) -> None:
    sdk = Sdk(house, version, "poor")
    assert sdk.call(m.GetConfigurationRequest()).value == {}
    answer = sdk.call(m.GetConfigurationRequest(component_name="app"))
    assert answer.component_name == "app"
    assert answer.value == house.host.configurations["app"]


@pytest.mark.parametrize(
    "request_",
    [
        m.GetConfigurationRequest(key_path=["nothing"]),
        m.GetConfigurationRequest(key_path=["level", "below"]),
        m.GetConfigurationRequest(component_name="nobody"),
    ],
)
def test_awsiotsdk_what_is_not_there_is_not_found(
    house: House, version: int, request_: m.GetConfigurationRequest
) -> None:
    with pytest.raises(m.ResourceNotFoundError):
        Sdk(house, version).call(request_)


def test_awsiotsdk_changes_its_own_configuration(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    sdk.call(_update({"KEY": 1.5, "new": {"a": [1, None]}}, ["nested"]))
    assert sdk.call(m.GetConfigurationRequest(key_path=["nested"])).value == {
        "Key": 1.5,
        "none": None,
        "text": "ä€😀",
        "new": {"a": [1, None]},
    }
    sdk.call(_update({"deep": True}, ["made", "up"]))
    assert sdk.call(m.GetConfigurationRequest(key_path=["made"])).value == {"up": {"deep": True}}
    sdk.call(_update({"level": 4}))
    assert house.host.configurations["app"]["level"] == 4


def test_awsiotsdk_an_older_timestamp_changes_nothing(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    sdk.call(_update({"level": 4}))
    with pytest.raises(m.FailedUpdateConditionCheckError):
        sdk.call(_update({"level": 5}, at=NOW - datetime.timedelta(hours=1)))
    assert house.host.configurations["app"]["level"] == 4


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"accessControl": {}}, None),
        ({"ACCESSCONTROL": {}}, None),
        ({"a": 1}, ["accessControl", "aws.greengrass.ipc.pubsub"]),
        ({"a": 1}, ["level"]),
        (5, ["nested"]),
    ],
)
def test_awsiotsdk_some_changes_are_invalid(house: House, version: int, value: Any, path: list[str] | None) -> None:
    before = house.host.configuration("app")
    with pytest.raises(m.InvalidArgumentsError):
        Sdk(house, version).call(_update(value, path))
    assert house.host.configuration("app") == before


def test_awsiotsdk_a_value_has_no_keys(house: House, version: int) -> None:
    with pytest.raises(m.ConflictError):
        Sdk(house, version).call(_update({"a": 1}, ["level", "below"]))


def test_awsiotsdk_a_change_without_time_or_value_is_invalid(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    for request in (m.UpdateConfigurationRequest(value_to_merge={}), m.UpdateConfigurationRequest(timestamp=NOW)):
        with pytest.raises(m.InvalidArgumentsError):
            sdk.call(request)


def test_awsiotsdk_hears_which_keys_changed(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    assert not house.bus.listens("app")
    _, everything = sdk.open(m.SubscribeToConfigurationUpdateRequest())
    _, nested = sdk.open(m.SubscribeToConfigurationUpdateRequest(key_path=["NESTED"]))
    assert house.bus.listens("app")
    sdk.call(_update({"level": 9}))
    event = everything.next().configuration_update_event
    assert (event.component_name, event.key_path) == ("app", ["level"])
    before = house.host.configuration("app")
    assert before is not None
    after = before | {"nested": {"Key": "other", "none": None}}
    house.bus.configuration_changed("app", before, after)
    for events in (everything, nested):
        paths = [events.next().configuration_update_event.key_path for _ in range(2)]
        assert paths == [["nested", "Key"], ["nested", "text"]]
    everything.close()
    nested.close()
    eventually(lambda: not house.bus.listens("app"))


def test_awsiotsdk_a_change_of_very_many_keys_is_one_event(house: House, version: int) -> None:
    _, events = Sdk(house, version).open(m.SubscribeToConfigurationUpdateRequest(key_path=["nested"]))
    house.bus.configuration_changed("app", {}, {"nested": {str(number): number for number in range(500)}})
    assert events.next().configuration_update_event.key_path == ["nested"]
    house.bus.configuration_changed("app", {"nested": {"a": 1}}, {"nested": {"a": 2}})
    assert events.next().configuration_update_event.key_path == ["nested", "a"]


def test_awsiotsdk_listens_to_another_component_and_that_is_not_listening_to_its_own(
    house: House, version: int
) -> None:
    sdk = Sdk(house, version, "poor")
    _, events = sdk.open(m.SubscribeToConfigurationUpdateRequest(component_name="app", key_path=["level"]))
    assert not house.bus.listens("app")
    assert not house.bus.listens("poor")
    house.bus.configuration_changed("app", {"level": 1}, {"level": 2})
    assert events.next().configuration_update_event.component_name == "app"
    for request in (
        m.SubscribeToConfigurationUpdateRequest(component_name="nobody"),
        m.SubscribeToConfigurationUpdateRequest(key_path=["nothing"]),
    ):
        with pytest.raises(m.ResourceNotFoundError):
            sdk.open(request)


def _judge(sdk: Sdk, events: Events, **report: Any) -> threading.Thread:
    """Answer the next validation from a thread of its own."""

    def work() -> None:
        event = events.next().validate_configuration_update_event
        found = m.ConfigurationValidityReport(deployment_id=event.deployment_id, **report)
        sdk.call(m.SendConfigurationValidityReportRequest(configuration_validity_report=found))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"status": "ACCEPTED"}, {}),
        ({"status": "REJECTED", "message": "too high"}, {"app": "too high"}),
        ({"status": "REJECTED"}, {"app": "it rejected the configuration"}),
    ],
)
def test_awsiotsdk_judges_a_new_configuration(
    house: House, version: int, report: dict[str, str], expected: dict[str, str]
) -> None:
    sdk = Sdk(house, version)
    _, events = sdk.open(m.SubscribeToValidateConfigurationUpdatesRequest())
    thread = _judge(sdk, events, **report)
    assert house.bus.validate("d-1", {"app": {"level": 10}, "poor": {}}, 10.0) == expected
    thread.join()


def test_awsiotsdk_a_judge_that_is_silent_or_gone_is_a_refusal(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    _, events = sdk.open(m.SubscribeToValidateConfigurationUpdatesRequest())
    assert house.bus.validate("d-1", {"app": {"level": 10}}, 0.1) == {"app": "it did not answer in time"}
    event = events.next().validate_configuration_update_event
    assert (event.deployment_id, event.configuration) == ("d-1", {"level": 10})
    report = m.ConfigurationValidityReport(status="ACCEPTED", deployment_id="d-1")
    with pytest.raises(m.InvalidArgumentsError):  # too late
        sdk.call(m.SendConfigurationValidityReportRequest(configuration_validity_report=report))
    asked = threading.Event()
    waiting = threading.Thread(target=lambda: house.bus.validate("d-0", {"app": {}}, 1000.0, asked.is_set))
    waiting.start()
    events.next()
    asked.set()  # the agent ends, or something newer is wanted
    waiting.join()
    found: list[dict[str, str]] = []
    thread = threading.Thread(target=lambda: found.append(house.bus.validate("d-2", {"app": {}}, 10.0)))
    thread.start()
    events.next()
    events.close()
    thread.join()
    assert found == [{"app": "it closed its subscription before it answered"}]


def test_awsiotsdk_puts_an_update_off_and_lets_it_go(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    _, events = sdk.open(m.SubscribeToComponentUpdatesRequest())
    for milliseconds in (1500, 0):

        def work(wait: int = milliseconds) -> None:
            event = events.next().pre_update_event
            assert event.is_ggc_restarting
            sdk.call(m.DeferComponentUpdateRequest(deployment_id=event.deployment_id, recheck_after_ms=wait))

        thread = threading.Thread(target=work)
        thread.start()
        assert house.bus.ask_to_update("d-1", ["app", "other"], restarting=True) == milliseconds / 1000
        thread.join()
    house.bus.updated("d-1")
    assert events.next().post_update_event.deployment_id == "d-1"
    with pytest.raises(m.ServiceError):  # nobody asks any more
        sdk.call(m.DeferComponentUpdateRequest(deployment_id="d-1", recheck_after_ms=1))


def test_awsiotsdk_who_does_not_listen_is_not_asked(house: House, version: int) -> None:
    sdk = Sdk(house, version)
    assert house.bus.ask_to_update("d-1", ["app"], restarting=False) == 0.0
    assert house.bus.validate("d-1", {"app": {}}, 10.0) == {}
    with pytest.raises(m.InvalidArgumentsError):
        sdk.call(m.DeferComponentUpdateRequest(deployment_id="d-1", recheck_after_ms=1))


def test_awsiotsdk_asking_ends_with_the_time_the_client_or_a_newer_wish(house: House, version: int) -> None:
    _, events = Sdk(house, version).open(m.SubscribeToComponentUpdatesRequest())
    assert house.bus.ask_to_update("d-1", ["app"], restarting=False, timeout=0.05) == 0.0
    assert house.bus.ask_to_update("d-2", ["app"], restarting=False, cancelled=lambda: True) == 0.0
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(house.bus.ask_to_update("d-3", ["app"], restarting=False)))
    thread.start()
    for deployment in ("d-1", "d-2", "d-3"):
        assert events.next().pre_update_event.deployment_id == deployment
    events.close()
    thread.join()
    assert found == [0.0]


@pytest.mark.parametrize("state", ["RUNNING", "ERRORED"])
def test_awsiotsdk_says_how_it_is(house: House, version: int, state: str) -> None:
    assert isinstance(Sdk(house, version, "poor").call(m.UpdateStateRequest(state=state)), m.UpdateStateResponse)
    assert house.host.states["poor"].value == state


def test_awsiotsdk_may_not_say_that_it_is_anything_else(house: House, version: int) -> None:
    with pytest.raises(m.InvalidArgumentsError):
        Sdk(house, version).call(m.UpdateStateRequest(state="FINISHED"))
