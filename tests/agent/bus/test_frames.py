"""Frames: what is written can be read, in any pieces; what is torn or garbage is a clean error, never anything else."""

from __future__ import annotations

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.agent.bus import frames
from lineside.agent.bus.frames import Decoder, Frame, FrameError, MessageType

NAMES = st.text("abcdefghijklmnopqrstuvwxyz:-", min_size=1, max_size=40)
VALUES = st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text(max_size=40) | st.binary(max_size=40)
FRAMES = st.builds(Frame, st.dictionaries(NAMES, VALUES, max_size=5), st.binary(max_size=300))


@given(st.lists(FRAMES, max_size=4), st.integers(1, 50))
def test_frames_survive_the_way_in_any_pieces(sent: list[Frame], piece: int) -> None:
    data = b"".join(frames.encode(*one) for one in sent)
    decoder = Decoder()
    found = [one for at in range(0, len(data), piece) for one in decoder.feed(data[at : at + piece])]
    assert found == sent
    assert decoder.waiting == 0


@given(st.binary(max_size=200))
def test_garbage_is_an_error_or_an_unfinished_frame(data: bytes) -> None:
    with contextlib.suppress(FrameError):
        assert list(Decoder().feed(data)) == []


@given(FRAMES, st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_noticed(frame: Frame, at: int, change: int) -> None:
    data = bytearray(frames.encode(*frame))
    data[at % len(data)] ^= change
    with contextlib.suppress(FrameError):
        assert list(Decoder().feed(bytes(data))) == []


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_headers_of_garbage_are_an_error_even_with_right_checksums(headers: bytes, payload: bytes) -> None:
    with contextlib.suppress(FrameError):
        for frame in Decoder().feed(_sealed(headers, payload)):
            assert frame.payload == payload


def test_every_type_of_header_is_read() -> None:
    headers = b"".join(
        bytes([1]) + name + bytes([kind]) + value
        for name, kind, value in [
            (b"a", 0, b""),
            (b"b", 1, b""),
            (b"c", 2, b"\xff"),
            (b"d", 3, b"\xff\xfe"),
            (b"e", 4, b"\0\0\0\7"),
            (b"f", 5, b"\0" * 7 + b"\1"),
            (b"g", 6, b"\0\1x"),
            (b"h", 7, b"\0\2\xc3\xa4"),
            (b"i", 8, b"\0" * 7 + b"\2"),
            (b"J", 9, b"u" * 16),
        ]
    )
    (frame,) = Decoder().feed(_sealed(headers, b""))
    assert frame.headers == {
        "a": True,
        "b": False,
        "c": -1,
        "d": -2,
        "e": 7,
        "f": 1,
        "g": b"x",
        "h": "ä",
        "i": 2,
        "j": b"u" * 16,
    }


@pytest.mark.parametrize(
    ("lengths", "limit"),
    [((2**31, 0), frames.MAX_FRAME), ((15, 0), 100), ((100, 90), 100), ((2**20, 2**18), 2**21), ((101, 0), 100)],
)
def test_lengths_that_cannot_be_are_refused_before_the_bytes_come(lengths: tuple[int, int], limit: int) -> None:
    packed = struct.pack(">II", *lengths)
    with pytest.raises(FrameError):
        list(Decoder(limit).feed(packed + zlib.crc32(packed).to_bytes(4, "big")))


def test_a_message_is_what_the_protocol_says() -> None:
    (frame,) = Decoder().feed(frames.message(MessageType.APPLICATION_MESSAGE, 2, 7, b"{}", "XResponse"))
    assert frame.payload == b"{}"
    assert frame.headers == {
        ":message-type": 0,
        ":message-flags": 2,
        ":stream-id": 7,
        ":content-type": "application/json",
        "service-model-type": "aws.greengrass#XResponse",
    }


def test_a_header_of_the_wrong_type_is_an_error() -> None:
    with pytest.raises(FrameError):
        Frame({":stream-id": "1"}, b"").number(":stream-id")
    with pytest.raises(FrameError):
        Frame({":stream-id": True}, b"").number(":stream-id")


def _sealed(headers: bytes, payload: bytes) -> bytes:
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = lengths + zlib.crc32(lengths).to_bytes(4, "big") + headers + payload
    return body + zlib.crc32(body).to_bytes(4, "big")
