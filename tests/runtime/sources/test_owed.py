"""Acknowledgements over connections that break: each request once, and none for what the broker no longer means."""

from __future__ import annotations

import pytest

from lineside.runtime.sources.owed import Owed


@pytest.fixture
def sent() -> list[int]:
    return []


@pytest.fixture
def owed(sent: list[int]) -> Owed:
    made = Owed(sent.append)
    made.connected(kept=False)
    return made


def broken(owed: Owed, *, kept: bool = True) -> None:
    owed.broken()
    owed.connected(kept=kept)


def test_a_message_is_acknowledged_once_it_is_settled_and_only_then(owed: Owed, sent: list[int]) -> None:
    first, second = owed.received(1, again=False), owed.received(2, again=False)
    assert first
    assert second
    assert sent == []
    second()
    second()
    assert sent == [2]
    first()
    assert sent == [2, 1]
    assert owed.received(2, again=False)  # the number is free, and used for another


def test_what_comes_again_while_it_is_decided_is_not_taken_twice(owed: Owed, sent: list[int]) -> None:
    settle = owed.received(1, again=False)
    broken(owed)
    assert owed.received(1, again=True) is None
    assert sent == []
    assert settle
    settle()
    assert sent == [1]  # over the new connection, where it is open, too


def test_what_was_settled_while_the_connection_was_broken_is_acknowledged_when_it_comes_again(
    owed: Owed, sent: list[int]
) -> None:
    settle = owed.received(1, again=False)
    owed.broken()
    assert settle
    settle()
    owed.connected(kept=True)
    assert sent == []
    assert owed.received(1, again=True) is None
    assert sent == [1]
    assert owed.received(1, again=True)  # another, sent over a connection that broke before it came


def test_a_broker_that_forgot_its_session_gets_no_acknowledgement_of_it(owed: Owed, sent: list[int]) -> None:
    old = owed.received(1, again=False)
    broken(owed, kept=False)
    new = owed.received(1, again=False)
    assert old
    old()
    assert sent == []
    assert new
    new()
    assert sent == [1]


def test_what_comes_again_after_a_restart_is_taken(owed: Owed) -> None:
    assert owed.received(7, again=True)
