"""How often an address may knock."""

from __future__ import annotations

import pytest

from lineside.contract.errors import LinesideError
from lineside.server.access.doorstep import SECONDS, TRIES, Doorstep
from lineside.server.testing import FakeClock


def test_an_address_has_so_many_tries_in_a_minute() -> None:
    clock = FakeClock()
    doorstep = Doorstep(clock)
    assert [doorstep.passes("192.0.2.1") for _ in range(TRIES + 2)] == [True] * TRIES + [False] * 2
    doorstep.look("192.0.2.2")
    with pytest.raises(LinesideError) as refused:
        doorstep.look("192.0.2.1")
    assert refused.value.code == "join.throttled"
    clock.advance(SECONDS)
    assert doorstep.passes("192.0.2.1")


def test_whoever_has_one_address_of_a_network_has_all_of_it() -> None:
    doorstep = Doorstep(FakeClock())
    tried = [doorstep.passes(f"2001:db8::{number:x}") for number in range(TRIES + 1)]
    assert tried == [True] * TRIES + [False]
    assert doorstep.passes("2001:db8:0:1::1")
