"""`lineside datasets check` says what blocks, and ends so that a script knows."""

from __future__ import annotations

import msgspec

from lineside.contract.dataset_check import CheckReport
from tests.cli.conftest import Command


def test_a_check_that_finds_a_leak_ends_with_three(lineside: Command) -> None:
    done = lineside("datasets", "check", "ds-0123456789ab", "--split", "random")
    assert done.status == 3
    assert "check.leak_group" in done.out
    assert "group tag-07: 3 in train, 1 in test" in done.out
    answer = lineside("datasets", "check", "ds-0123456789ab", "--json")
    assert answer.status == 3
    assert msgspec.json.decode(answer.out, type=CheckReport).blocked


def test_a_check_that_finds_nothing_ends_well(lineside: Command) -> None:
    done = lineside("datasets", "check", "metal-tags")
    assert (done.status, "Nothing was found." in done.out) == (0, True)
