"""AWS's `stream_manager` package, unmodified, against our stream manager."""

from __future__ import annotations

import gc
import threading
import time

import pytest
from stream_manager import (
    ExportDefinition,
    HTTPConfig,
    IoTAnalyticsConfig,
    IoTSiteWiseConfig,
    KinesisConfig,
    MessageStreamDefinition,
    Persistence,
    ReadMessagesOptions,
    StrategyOnFull,
    StreamManagerClient,
)
from stream_manager.exceptions import (
    InvalidRequestException,
    NotEnoughMessagesException,
    RequestPayloadTooLargeException,
    ResourceNotFoundException,
    UnknownFailureException,
    UpdateNotAllowedException,
)

from tests.agent.streams.stream_manager_process import StreamManagerProcess


def definition(name: str = "s", **more: object) -> MessageStreamDefinition:
    return MessageStreamDefinition(**({"name": name, "strategy_on_full": StrategyOnFull.OverwriteOldestData} | more))


def payloads(client: StreamManagerClient, name: str = "s", start: int = 0, most: int = 10_000) -> list[bytes]:
    """Everything from `start` on."""
    options = ReadMessagesOptions(desired_start_sequence_number=start, min_message_count=1, max_message_count=most)
    return [message.payload for message in client.read_messages(name, options)]


# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("persistence", [Persistence.File, Persistence.Memory])
def test_stream_manager_appends_and_reads(client: StreamManagerClient, persistence: Persistence) -> None:
    client.create_message_stream(definition(persistence=persistence))
    before = int(time.time() * 1000)
    sent = [b"\x00", b"\x00\xff", b"x" * 100_000, *(str(number).encode() for number in range(200))]
    assert [client.append_message("s", data) for data in sent] == list(range(len(sent)))
    assert payloads(client) == sent
    assert payloads(client, start=150, most=3) == sent[150:153]
    (first,) = client.read_messages("s")
    assert (first.stream_name, first.sequence_number, first.payload) == ("s", 0, b"\x00")
    assert before - 1000 <= first.ingest_time <= int(time.time() * 1000)


def test_stream_manager_lists_describes_and_deletes(client: StreamManagerClient) -> None:
    names = ["b", "a, with-more_of.it", "Ärger"]
    for name in names:
        client.create_message_stream(definition(name, time_to_live_millis=3_600_000))
    client.append_message("b", b"1")
    assert client.list_streams() == sorted(names)
    found = client.describe_message_stream("b")
    assert (found.definition.name, found.definition.time_to_live_millis) == ("b", 3_600_000)
    status = found.storage_status
    assert (status.oldest_sequence_number, status.newest_sequence_number) == (0, 0)
    assert status.total_bytes > 0
    client.delete_message_stream("b")
    assert client.list_streams() == sorted(names[1:])
    client.create_message_stream(definition("b"))
    assert client.append_message("b", b"again") == 0


def test_stream_manager_says_what_is_refused(client: StreamManagerClient) -> None:
    client.create_message_stream(definition())
    with pytest.raises(InvalidRequestException, match="already"):
        client.create_message_stream(definition())
    for act in (client.delete_message_stream, client.describe_message_stream, client.read_messages):
        with pytest.raises(ResourceNotFoundException):
            act("nothing")
    with pytest.raises(ResourceNotFoundException):
        client.append_message("nothing", b"x")
    with pytest.raises(ResourceNotFoundException):
        client.update_message_stream(definition("nothing"))
    with pytest.raises(NotEnoughMessagesException):
        client.read_messages("s")
    with pytest.raises(UpdateNotAllowedException):
        client.update_message_stream(definition(persistence=Persistence.Memory))


def test_stream_manager_waits_for_messages(manager: StreamManagerProcess, client: StreamManagerClient) -> None:
    client.create_message_stream(definition())
    found: list[bytes] = []
    options = ReadMessagesOptions(min_message_count=2, max_message_count=5, read_timeout_millis=15_000)
    reader = threading.Thread(target=lambda: found.extend(m.payload for m in client.read_messages("s", options)))
    reader.start()
    with manager.client() as other:
        other.append_message("s", b"1")
        assert client.append_message("s", b"2") == 1  # the same client's other requests do not wait
    reader.join()
    assert found == [b"1", b"2"]
    with pytest.raises(NotEnoughMessagesException):
        client.read_messages("s", ReadMessagesOptions(min_message_count=3, read_timeout_millis=50))


def test_stream_manager_tells_a_reader_that_its_stream_is_gone(client: StreamManagerClient) -> None:
    client.create_message_stream(definition())
    raised: list[Exception] = []

    def read() -> None:
        try:
            client.read_messages("s", ReadMessagesOptions(read_timeout_millis=15_000))
        except ResourceNotFoundException as error:
            raised.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    client.delete_message_stream("s")
    reader.join()
    assert len(raised) == 1


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("persistence", [Persistence.File, Persistence.Memory])
def test_stream_manager_overwrites_the_oldest(client: StreamManagerClient, persistence: Persistence) -> None:
    client.create_message_stream(definition(max_size=4096, stream_segment_size=1024, persistence=persistence))
    for number in range(100):
        assert client.append_message("s", b"%03d" % number * 30) == number
    status = client.describe_message_stream("s").storage_status
    assert status.total_bytes <= 4096
    assert status.newest_sequence_number == 99
    assert payloads(client)[-1] == b"099" * 30
    assert client.read_messages("s")[0].sequence_number == status.oldest_sequence_number > 0


def test_stream_manager_rejects_what_is_too_much(client: StreamManagerClient) -> None:
    client.create_message_stream(definition(max_size=2048, strategy_on_full=StrategyOnFull.RejectNewData))
    with pytest.raises(RequestPayloadTooLargeException):
        client.append_message("s", b"x" * 2048)
    client.append_message("s", b"x" * 1500)
    with pytest.raises(UnknownFailureException, match="full"):
        client.append_message("s", b"x" * 1500)
    assert payloads(client) == [b"x" * 1500]
    client.update_message_stream(definition(max_size=8192, strategy_on_full=StrategyOnFull.RejectNewData))
    assert client.append_message("s", b"x" * 1500) == 1


def test_stream_manager_answers_no_more_than_fits(client: StreamManagerClient) -> None:
    client.create_message_stream(definition())
    for _ in range(5):
        client.append_message("s", bytes(7 << 20))
    assert len(payloads(client)) == 2
    assert len(payloads(client, start=2)) == 2


# --- kept -------------------------------------------------------------------------------------------------------------


def test_stream_manager_keeps_what_it_acknowledged_through_kill_9(manager: StreamManagerProcess) -> None:
    with manager.client() as client:
        client.create_message_stream(definition(flush_on_write=True, stream_segment_size=1024, max_size=1 << 20))
        client.create_message_stream(definition("memory", persistence=Persistence.Memory))
        sent = [b"%d" % number * 20 for number in range(100)]
        for data in sent:
            client.append_message("s", data)
        client.append_message("memory", b"x")
    for _ in range(2):
        manager.kill()
        manager.start()
        with manager.client() as client:
            assert payloads(client) == sent
            assert client.append_message("s", b"more") == len(sent)
            sent.append(b"more")
            assert client.describe_message_stream("memory").storage_status.newest_sequence_number == -1


def test_stream_manager_cuts_off_half_a_message(manager: StreamManagerProcess) -> None:
    with manager.client() as client:
        client.create_message_stream(definition())
        client.append_message("s", b"one")
        client.append_message("s", b"two")
    manager.kill()
    (segment,) = manager.root.rglob("*.seg")
    segment.write_bytes(segment.read_bytes()[:-1])
    manager.start()
    with manager.client() as client:
        assert payloads(client) == [b"one"]
        assert client.append_message("s", b"three") == 1
        assert payloads(client) == [b"one", b"three"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the client forgets its old connection
def test_stream_manager_that_is_killed_is_reconnected_to(manager: StreamManagerProcess) -> None:
    client = manager.client()
    client.create_message_stream(definition())
    client.append_message("s", b"one")
    port = manager.port
    manager.kill()
    manager._settings["STREAM_MANAGER_SERVER_PORT"] = port
    manager.start()
    deadline = time.monotonic() + 15
    while client.connected and time.monotonic() < deadline:
        time.sleep(0.01)  # its read loop notices by itself
    assert payloads(client) == [b"one"]
    client.close()
    gc.collect()


def test_stream_manager_ends_in_order(manager: StreamManagerProcess) -> None:
    with manager.client() as client:
        client.create_message_stream(definition())
        client.append_message("s", b"one")
        assert manager.end() == 0
    manager.start()
    with manager.client() as client:
        assert payloads(client) == [b"one"]


# --- exporters that are not there -------------------------------------------------------------------------------------


def test_stream_manager_keeps_exporters_it_does_not_have_and_says_so(client: StreamManagerClient) -> None:
    exporters = ExportDefinition(
        http=[HTTPConfig(identifier="h", uri="http://127.0.0.1:1/")],
        kinesis=[KinesisConfig(identifier="k", kinesis_stream_name="n")],
        iot_analytics=[IoTAnalyticsConfig(identifier="a", iot_channel="c")],
        iot_sitewise=[IoTSiteWiseConfig(identifier="w")],
    )
    client.create_message_stream(definition(export_definition=exporters))
    assert client.append_message("s", b"anything") == 0
    found = client.describe_message_stream("s")
    assert found.definition.export_definition.as_dict() == exporters.as_dict()
    said = {one.export_config_identifier: one.error_message for one in found.export_statuses}
    assert said.keys() == {"h", "k", "a", "w"}
    assert said["k"] == "Exports to Kinesis are not supported."
