"""What waits for a component: in order, answers first, bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lineside.agent.bus import buffers
from lineside.agent.bus.buffers import Budget, Outgoing
from lineside.agent.bus.inbox import MAX_MESSAGES, Inbox


def _all(outgoing: Outgoing, step: int = 1 << 20) -> bytes:
    data = b""
    while outgoing:
        part = outgoing.chunk()[:step]
        data += part
        outgoing.written(len(part))
    return data


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=30)), max_size=20), st.integers(1, 7))
def test_answers_go_first_and_everything_goes_in_order(frames: list[tuple[bool, bytes]], step: int) -> None:
    budget = Budget()
    outgoing = Outgoing(budget)
    for event, frame in frames:
        if event:
            outgoing.event(1, frame)
        else:
            outgoing.answer(frame)
    expected = b"".join(frame for event, frame in frames if not event)
    expected += b"".join(frame for event, frame in frames if event)
    assert _all(outgoing, step) == expected
    assert budget.used == 0


def test_the_oldest_events_make_room_and_are_counted() -> None:
    outgoing = Outgoing(Budget())
    size = buffers.EVENTS_CAP // 4
    for number in range(10):
        outgoing.event(number, bytes([number]) * size)
    outgoing.answer(b"answer")
    assert outgoing.event_bytes <= buffers.EVENTS_CAP
    assert outgoing.dropped == 6
    assert _all(outgoing) == b"answer" + b"".join(bytes([number]) * size for number in (6, 7, 8, 9))


def test_an_event_larger_than_the_cap_goes_alone() -> None:
    outgoing = Outgoing(Budget())
    outgoing.event(1, b"small")
    outgoing.event(1, b"x" * (buffers.EVENTS_CAP + 1))
    assert outgoing.dropped == 1
    assert len(_all(outgoing)) == buffers.EVENTS_CAP + 1


def test_when_all_together_hold_much_each_may_hold_little() -> None:
    budget = Budget()
    crowd = [Outgoing(budget) for _ in range(40)]
    for outgoing in crowd:
        for _ in range(80):
            outgoing.event(1, b"x" * (64 << 10))
    assert budget.used < buffers.TOTAL_CAP
    for outgoing in crowd:
        outgoing.close()
    assert budget.used == 0


def test_the_events_of_a_closed_stream_are_forgotten() -> None:
    budget = Budget()
    outgoing = Outgoing(budget)
    for number in (1, 2, 1, 3):
        outgoing.event(number, bytes([number]))
    outgoing.end_stream(1)
    assert budget.used == 2
    assert _all(outgoing) == b"\2\3"


def test_an_inbox_keeps_the_newest() -> None:
    posted: list[object] = []
    taken: list[int] = []
    inbox: Inbox[int] = Inbox(lambda act: posted.append(act), taken.append)
    for number in range(MAX_MESSAGES + 5):
        inbox.put(1, number)
    assert len(posted) == 1
    posted[0]()  # type: ignore[operator]
    assert taken == list(range(5, MAX_MESSAGES + 5))
    assert inbox.dropped == 5
