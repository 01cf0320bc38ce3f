"""Words of the stream manager's protocol: operations, status codes, and what a stream's definition says.

Versions 1.1.0 and 1.0.0. Keys are those of the wire.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

VERSION = "1.1.0"
VERSIONS = (VERSION, "1.0.0")
CONNECT_VERSION = 1
SERVER_VERSION = "2.2.0"
"""Which release of Greengrass's stream manager this one is like."""


class Operation(enum.IntEnum):
    """The byte before a frame's payload."""

    CONNECT = 1
    CREATE = 2
    DELETE = 3
    APPEND = 4
    READ = 5
    CONNECT_RESPONSE = 6
    CREATE_RESPONSE = 7
    DELETE_RESPONSE = 8
    APPEND_RESPONSE = 9
    READ_RESPONSE = 10
    LIST = 11
    LIST_RESPONSE = 12
    DESCRIBE = 13
    DESCRIBE_RESPONSE = 14
    UPDATE = 15
    UPDATE_RESPONSE = 16
    UNKNOWN_ERROR = 17


class Status(enum.IntEnum):
    """How a request ended."""

    SUCCESS = 0
    UNKNOWN_FAILURE = 1
    UNAUTHORIZED = 2
    INVALID = 3
    REQUEST_TOO_LARGE = 4
    NOT_FOUND = 5
    TIMEOUT = 6
    RESPONSE_TOO_LARGE = 7
    UNSUPPORTED_CONNECT = 8
    UNEXPECTED_OPERATION = 9
    UNSUPPORTED_PROTOCOL = 10
    NOT_ENOUGH = 13
    READ_ERROR = 14
    UPDATE_NOT_ALLOWED = 17
    UNKNOWN_OPERATION = 18


class Refused(Exception):
    """A request that is answered with a status other than success."""

    def __init__(self, status: Status, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def _name(text: str) -> bool:
    return 1 <= len(text) <= 255 and all(sign.isalnum() or sign in " ,.-_" for sign in text)


class StatusConfig(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """Where news of exports go. Levels: 0 errors, 1 warnings, 2 everything."""

    status_stream_name: str | None = None
    status_level: int | None = None


class TaskExecutor(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """Messages are tasks: upload a file."""

    identifier: str
    size_threshold_for_multipart_upload_bytes: int | None = None
    priority: int | None = None
    disabled: bool | None = None
    status_config: StatusConfig | None = None


class ExportDefinition(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """Who reads a stream. Only `s3TaskExecutor` does anything here; the others are kept and said to be unsupported."""

    http: list[dict[str, Any]] | None = None
    iot_analytics: list[dict[str, Any]] | None = None
    kinesis: list[dict[str, Any]] | None = None
    iot_sitewise: list[dict[str, Any]] | None = msgspec.field(default=None, name="IotSitewise")
    s3_task_executor: list[TaskExecutor] | None = None

    def unsupported(self) -> list[tuple[str, str]]:
        """Identifier and kind of every exporter that does nothing."""
        kinds = {
            "HTTP": self.http,
            "IoT Analytics": self.iot_analytics,
            "Kinesis": self.kinesis,
            "IoT SiteWise": self.iot_sitewise,
        }
        return [(str(one.get("identifier", "")), kind) for kind, ones in kinds.items() for one in ones or []]


class Definition(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A stream as its creator wants it."""

    name: str
    strategy_on_full: int  # 0 reject new messages, 1 overwrite the oldest
    max_size: int | None = None
    stream_segment_size: int | None = None
    time_to_live_millis: int | None = None
    persistence: int | None = None  # 0 file, 1 memory
    flush_on_write: bool | None = None
    export_definition: ExportDefinition | None = None

    @property
    def size(self) -> int:
        """Bytes of all messages, at most."""
        return self.max_size or 256 << 20

    @property
    def segment_size(self) -> int:
        """Bytes of one segment."""
        return min(self.stream_segment_size or 16 << 20, self.size)

    @property
    def executors(self) -> list[TaskExecutor]:
        """Its exporters that upload files."""
        found = self.export_definition.s3_task_executor if self.export_definition is not None else None
        return found or []


def definition_of(value: Any) -> Definition:
    """A definition from the wire. Raises `Refused`."""
    try:
        found = msgspec.convert(value, Definition)
    except msgspec.ValidationError as error:
        raise Refused(Status.INVALID, str(error)) from error
    wrong = _what_is_wrong(found)
    if wrong:
        raise Refused(Status.INVALID, wrong)
    return found


def _what_is_wrong(found: Definition) -> str:
    if not _name(found.name):
        return "a name has 1 to 255 letters, digits, spaces, commas, periods, hyphens and underscores"
    if found.strategy_on_full not in (0, 1) or found.persistence not in (None, 0, 1):
        return "strategyOnFull and persistence are 0 or 1"
    if found.max_size is not None and not 1024 <= found.max_size < 1 << 63:
        return "maxSize is 1024 at least"
    if found.stream_segment_size is not None and not 1024 <= found.stream_segment_size < 1 << 31:
        return "streamSegmentSize is between 1024 and 2147483647"
    if found.time_to_live_millis is not None and not 60_000 <= found.time_to_live_millis <= 9_223_372_036_854:
        return "timeToLiveMillis is 60000 at least"
    names = [one.identifier for one in found.executors]
    if found.export_definition is not None:
        names += [name for name, _ in found.export_definition.unsupported()]
    if not all(_name(name) for name in names):
        return "an exporter's identifier has 1 to 255 letters, digits, spaces, commas, periods, hyphens and underscores"
    return "exporters' identifiers are all different" if len(set(names)) != len(names) else ""
