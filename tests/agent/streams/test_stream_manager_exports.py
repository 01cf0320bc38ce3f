"""Files exported with AWS's `stream_manager` package: claimed when they are appended, sent home, and told of."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from stream_manager import (
    ExportDefinition,
    MessageStreamDefinition,
    ReadMessagesOptions,
    S3ExportTaskDefinition,
    S3ExportTaskExecutorConfig,
    Status,
    StatusConfig,
    StatusLevel,
    StatusMessage,
    StrategyOnFull,
    StreamManagerClient,
    Util,
)
from stream_manager.exceptions import InvalidRequestException, UnknownFailureException

from lineside.agent.link.error import LinkError
from lineside.agent.link.exports import Exports
from lineside.agent.streams import claims
from lineside.agent.supervision.processes import StopSignal
from lineside.agent.testing import FakeControlPlane
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.ids import digest_of
from tests.agent.streams.stream_manager_process import StreamManagerProcess
from tests.eventually import eventually


@pytest.fixture
def control() -> FakeControlPlane:
    return FakeControlPlane()


@pytest.fixture
def exports(manager: StreamManagerProcess, control: FakeControlPlane) -> Exports:
    return Exports(manager.exports, "cell-1", control, StopSignal())


def create(client: StreamManagerClient, name: str = "tasks", level: StatusLevel = StatusLevel.INFO) -> None:
    """A stream of tasks whose news go to the stream `news`."""
    overwrite = StrategyOnFull.OverwriteOldestData
    if "news" not in client.list_streams():
        client.create_message_stream(MessageStreamDefinition(name="news", strategy_on_full=overwrite))
    config = StatusConfig(status_level=level, status_stream_name="news")
    exporter = S3ExportTaskExecutorConfig(identifier="s3", status_config=config)
    definition = MessageStreamDefinition(
        name=name, strategy_on_full=overwrite, export_definition=ExportDefinition(s3_task_executor=[exporter])
    )
    client.create_message_stream(definition)


def task(path: Path | str, key: str = "a/b.csv", **more: Any) -> bytes:
    url = path if isinstance(path, str) else path.as_uri()
    definition = S3ExportTaskDefinition(input_url=url, bucket="bucket", key=key, **more)
    found: bytes = Util.validate_and_serialize_to_json_bytes(definition)
    return found


def news(client: StreamManagerClient, count: int = 1) -> list[StatusMessage]:
    """What the status stream says, once there is that much."""
    options = ReadMessagesOptions(min_message_count=count, max_message_count=100, read_timeout_millis=15_000)
    messages = client.read_messages("news", options)
    return [Util.deserialize_json_bytes_to_obj(message.payload, StatusMessage) for message in messages]


def file_of(tmp_path: Path, data: bytes = b"1,2,3\n", name: str = "with blanks.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


# --- the way home -----------------------------------------------------------------------------------------------------


def test_stream_manager_exports_a_file_and_tells_of_it(
    client: StreamManagerClient, exports: Exports, control: FakeControlPlane, tmp_path: Path
) -> None:
    create(client)
    sent = task(file_of(tmp_path), "day-!{timestamp:yyyy}/b.csv", user_metadata={"shift": "night"})
    assert client.append_message("tasks", sent) == 0
    assert exports.send() == 1
    (record,) = control.exports.values()
    assert (record.device, record.bucket, record.stream, record.sequence) == ("cell-1", "bucket", "tasks", 0)
    assert record.key.startswith("day-20")
    assert record.key.endswith("/b.csv")
    assert record.metadata == {"shift": "night"}
    assert control.uploaded == {digest_of(b"1,2,3\n"): b"1,2,3\n"}
    (said,) = news(client)
    assert (said.status, said.status_level) == (Status.Success, StatusLevel.INFO)
    context = said.status_context
    assert (context.stream_name, context.sequence_number, context.export_identifier) == ("tasks", 0, "s3")
    assert context.s3_export_task_definition.key == "day-!{timestamp:yyyy}/b.csv"
    (status,) = eventually(
        lambda: [s for s in client.describe_message_stream("tasks").export_statuses if s.exported_messages_count]
    )
    assert (status.export_config_identifier, status.last_exported_sequence_number) == ("s3", 0)
    assert (status.exported_bytes_from_stream, status.error_message) == (6, "")
    eventually(lambda: not list(exports._folder.iterdir()))


def test_stream_manager_loses_no_task_of_a_stream_that_is_deleted_at_once(
    client: StreamManagerClient, exports: Exports, control: FakeControlPlane, tmp_path: Path
) -> None:
    for number in range(3):
        create(client)
        path = file_of(tmp_path, b"%d" % number, f"{number}.csv")
        client.append_message("tasks", task(path, f"{number}.csv"))
        client.delete_message_stream("tasks")
        path.unlink()
    assert exports.send() == 3
    assert sorted(control.uploaded.values()) == [b"0", b"1", b"2"]
    assert {said.status for said in news(client, 3)} == {Status.Success}


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_stream_manager_loses_no_task_when_it_ends(
    manager: StreamManagerProcess, exports: Exports, control: FakeControlPlane, tmp_path: Path, ending: signal.Signals
) -> None:
    with manager.client() as client:
        create(client)
        client.append_message("tasks", task(file_of(tmp_path)))
    manager._end(ending)
    assert exports.send() == 1
    assert len(control.uploaded) == 1
    manager.start()
    with manager.client() as client:
        assert [said.status for said in news(client)] == [Status.Success]


def test_while_the_control_plane_is_away_exports_wait(
    client: StreamManagerClient, exports: Exports, control: FakeControlPlane, tmp_path: Path
) -> None:
    create(client)
    client.append_message("tasks", task(file_of(tmp_path)))
    control.away = True
    with pytest.raises(LinkError):
        exports.send()
    control.away = False
    assert exports.send() == 1
    assert exports.send() == 0
    assert len(control.uploaded) == 1


def test_a_file_that_is_there_already_is_not_sent_again(
    client: StreamManagerClient, exports: Exports, control: FakeControlPlane, tmp_path: Path
) -> None:
    create(client)
    control.uploaded[digest_of(b"1,2,3\n")] = b"before"
    client.append_message("tasks", task(file_of(tmp_path)))
    assert exports.send() == 1
    assert control.uploaded == {digest_of(b"1,2,3\n"): b"before"}
    assert [said.status for said in news(client)] == [Status.Success]


# --- what cannot be exported ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["file:///nothing/there", "https://127.0.0.1/x", "file:///dev/zero", "file:///etc", "x"]
)
def test_stream_manager_says_what_cannot_be_exported(
    client: StreamManagerClient, exports: Exports, control: FakeControlPlane, url: str
) -> None:
    create(client)
    client.append_message("tasks", task(url))
    assert exports.send() == 1
    (said,) = news(client)
    assert (said.status, said.status_level) == (Status.Failure, StatusLevel.ERROR)
    assert said.message
    assert not control.exports


def test_stream_manager_says_what_the_control_plane_refuses(
    client: StreamManagerClient, exports: Exports, control: FakeControlPlane, tmp_path: Path
) -> None:
    create(client, level=StatusLevel.ERROR)
    control.refusal = RemoteError(LinesideError("export.too_large", size=9, limit=5).report(), 413)
    client.append_message("tasks", task(file_of(tmp_path)))
    assert exports.send() == 1
    assert [said.message for said in news(client)] == ["An export of 9 bytes is over the limit of 5 bytes."]
    control.refusal = None
    client.append_message("tasks", task(file_of(tmp_path)))
    assert exports.send() == 1  # a success is no error, so nothing is said of it
    eventually(lambda: not list(exports._folder.iterdir()))
    assert len(news(client)) == 1


def test_stream_manager_refuses_a_message_that_is_no_task(client: StreamManagerClient, exports: Exports) -> None:
    create(client)
    for payload in (b"hello", b"{}", msgspec.json.encode({"inputUrl": "file:/x", "bucket": "", "key": "k"})):
        with pytest.raises(InvalidRequestException):
            client.append_message("tasks", payload)
    assert exports.send() == 0


def test_stream_manager_takes_no_more_tasks_than_may_wait(
    client: StreamManagerClient, exports: Exports, manager: StreamManagerProcess, tmp_path: Path
) -> None:
    create(client)
    manager.exports.mkdir()
    for number in range(claims.MOST_WAITING):
        (manager.exports / f"{number}.json").touch()
    with pytest.raises(UnknownFailureException, match="wait"):
        client.append_message("tasks", task(file_of(tmp_path)))
    (manager.exports / "0.json").unlink()
    assert client.append_message("tasks", task(file_of(tmp_path))) == 0


# --- a folder that others may write to --------------------------------------------------------------------------------


def claimed(folder: Path, id: str = "ab12", **more: Any) -> Path:
    """A claim as somebody else might write it."""
    folder.mkdir(exist_ok=True)
    values = {
        "id": id,
        "task": {"inputUrl": "file:/x", "bucket": "b", "key": "k"},
        "key": "k",
        "stream": "s",
        "stream_id": "i",
        "sequence": 0,
        "exporter": "e",
        "claimed_at": 0.0,
    }
    path = folder / "ab12.json"
    path.write_bytes(msgspec.json.encode(values | more))
    return path


def test_links_are_not_followed(tmp_path: Path, control: FakeControlPlane) -> None:
    folder, secret = tmp_path / "exports", file_of(tmp_path, b"secret")
    claimed(folder)
    (folder / "ab12.bin").symlink_to(secret)
    exports = Exports(folder, "cell-1", control, StopSignal())
    assert exports.send() == 1
    assert not control.exports
    ((_, outcome),) = claims.finished(folder)
    assert not outcome.succeeded


def test_a_pipe_is_no_file(tmp_path: Path, control: FakeControlPlane) -> None:
    claimed(tmp_path / "exports")
    os.mkfifo(tmp_path / "exports" / "ab12.bin")
    assert Exports(tmp_path / "exports", "cell-1", control, StopSignal()).send() == 1
    assert not control.exports


@pytest.mark.parametrize("content", [{"id": "../../x"}, {"id": "other"}, {"sequence": "x"}])
def test_a_claim_that_makes_no_sense_is_removed(tmp_path: Path, control: FakeControlPlane, content: Any) -> None:
    path = claimed(tmp_path / "exports", **content)
    assert Exports(tmp_path / "exports", "cell-1", control, StopSignal()).send() == 0
    assert not path.exists()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["exports"]
