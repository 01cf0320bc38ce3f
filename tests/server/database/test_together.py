"""Work that shares a turn: what arrives while some is under way is done at once, and one bad item spoils no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from lineside.server.database.together import MOST, Together
from tests.eventually import PATIENCE


class Mill:
    """Doubles numbers; 0 it refuses, and a negative one breaks it. The first turn lasts until it is let go."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        self.turns.append(list(numbers))
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        if min(numbers) < 0:
            raise ArithmeticError(str(min(numbers)))
        return [2 * number if number else ValueError("nothing") for number in numbers]


async def _fed(mill: Mill, first: int, then: Sequence[int]) -> list[int | BaseException]:
    together = Together("mill", mill)
    early = asyncio.create_task(together(first))
    await asyncio.to_thread(mill.begun.wait, 10)
    late = [asyncio.create_task(together(number)) for number in then]
    await asyncio.sleep(0)  # they have asked
    mill.go_on.set()
    return await asyncio.gather(early, *late, return_exceptions=True)


def test_what_arrives_meanwhile_shares_the_next_turn() -> None:
    mill = Mill()
    assert asyncio.run(_fed(mill, 1, [2, 3, 4])) == [2, 4, 6, 8]
    assert mill.turns == [[1], [2, 3, 4]]


def test_a_turn_has_an_end() -> None:
    mill = Mill()
    asyncio.run(_fed(mill, 1, range(2, MOST + 4)))
    assert [len(turn) for turn in mill.turns] == [1, MOST, 2]


def test_a_refused_item_is_refused_alone() -> None:
    found = asyncio.run(_fed(Mill(), 1, [0, 3]))
    assert isinstance(found[1], ValueError)
    assert (found[0], found[2]) == (2, 6)


def test_an_item_that_breaks_the_turn_breaks_only_its_own() -> None:
    mill = Mill()
    found = asyncio.run(_fed(mill, 1, [2, -5, 3]))
    assert isinstance(found[2], ArithmeticError)
    assert (found[1], found[3]) == (4, 6)
    assert mill.turns[1:] == [[2, -5, 3], [2], [-5], [3]]


def test_who_has_gone_holds_nobody_up() -> None:
    async def gone(mill: Mill) -> int:
        together = Together("mill", mill)
        left = asyncio.create_task(together(1))
        await asyncio.to_thread(mill.begun.wait, 10)
        left.cancel()
        stays = asyncio.create_task(together(2))
        await asyncio.sleep(0)
        mill.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await left
        return await stays

    assert asyncio.run(gone(Mill())) == 4
