"""Segments on disk against a list: whatever is appended, dropped, cut short and opened again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lineside.agent.streams.segments import OVERHEAD, Damaged, Segments

SIZE = 200


class Model(RuleBasedStateMachine):
    """What `Segments` should hold: all messages by number, from the oldest that is left."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.segments = Segments(self.folder)
        self.messages: dict[int, bytes] = {}
        self.next = 0

    def teardown(self) -> None:
        self.segments.close()
        shutil.rmtree(self.folder)

    @rule(payload=st.binary(min_size=1, max_size=SIZE))
    def append(self, payload: bytes) -> None:
        assert self.segments.append(1, payload, SIZE) == self.next
        self.messages[self.next] = payload
        self.next += 1

    @rule()
    def drop(self) -> None:
        before = self.segments.oldest
        assert self.segments.drop_oldest() == bool(self.messages)
        assert self.segments.oldest > before or not self.messages
        self.messages = {at: data for at, data in self.messages.items() if at >= self.segments.oldest}

    @rule()
    def open_again(self) -> None:
        self.segments.close()
        self.segments = Segments(self.folder)

    @rule(lost=st.integers(1, OVERHEAD))
    def cut_short(self, lost: int) -> None:
        """The power goes while the last message is being written."""
        self.segments.close()
        last = max(self.folder.glob("*.seg"))
        size = last.stat().st_size
        if size:
            with last.open("r+b") as file:
                file.truncate(size - lost)
            self.next -= 1
            del self.messages[self.next]
        self.segments = Segments(self.folder)

    @invariant()
    def holds_the_same(self) -> None:
        assert self.segments.next == self.next
        for start in {self.segments.oldest, max(self.segments.oldest, self.next - 2)}:
            found = {one.sequence: one.payload for one in self.segments.read(start)}
            assert found == {at: data for at, data in self.messages.items() if at >= start}
        assert self.segments.size == sum(OVERHEAD + len(data) for data in self.messages.values())


Model.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestModel = Model.TestCase


def test_a_rotten_message_is_an_error(tmp_path: Path) -> None:
    segments = Segments(tmp_path)
    for number in range(3):
        segments.append(1, b"%d" % number * 50, 1 << 20)
    (file,) = tmp_path.glob("*.seg")
    data = bytearray(file.read_bytes())
    data[OVERHEAD + 50 + OVERHEAD + 10] ^= 1
    file.write_bytes(bytes(data))
    found = []
    with pytest.raises(Damaged):
        found.extend(segments.read(0))
    segments.close()
    again = Segments(tmp_path)
    assert (again.oldest, again.next) == (0, 1)
    again.close()


def test_a_segment_that_a_power_cut_emptied_is_no_damage(tmp_path: Path) -> None:
    segments = Segments(tmp_path)
    for _ in range(8):
        segments.append(1, b"12", SIZE)  # the eighth is alone in its segment
    segments.close()
    last = max(tmp_path.glob("*.seg"))
    last.write_bytes(last.read_bytes()[:-1])
    again = Segments(tmp_path)
    assert [one.sequence for one in again.read(0)] == list(range(7))
    again.close()


def test_reading_near_the_end_of_many(tmp_path: Path) -> None:
    segments = Segments(tmp_path)
    for number in range(1000):
        segments.append(1, b"%d" % number, 1 << 20)
    for start in (0, 63, 64, 65, 500, 999):
        assert next(iter(segments.read(start))).payload == b"%d" % start
    segments.close()
