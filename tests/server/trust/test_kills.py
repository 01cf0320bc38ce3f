"""A takeover that is killed at any write leaves the old state or the new one whole; the next start finishes it."""

from __future__ import annotations

import pytest

from lineside.contract.ceremony import ProposalState, TrustMode
from lineside.server.adapters.signer import KeyFiles
from lineside.server.adapters.tuf import Repository
from lineside.server.services import Core
from tests.server.adapters.shelves import Fragile, Killed
from tests.server.trust.hands import Follower, Hand, House

MODEL = "models/tags.model-1.0.0.json"
WRITES = 7  # the journal, root, targets, approvers, builders, snapshot, timestamp
ONLINE = {"tuf-snapshot.pem", "tuf-staging.pem", "tuf-timestamp.pem"}


class Forgetting(KeyFiles):
    """Is killed while it deletes keys."""

    left = 1

    def forget(self, key: str) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        super().forget(key)


def prepared(house: House, people: dict[str, list[Hand]]) -> str:
    """A takeover that lacks one signature."""
    hands = {**people, "builders": []}
    keys = tuple(hand.key(role) for role, found in people.items() for hand in found)
    proposal = house.propose(kind="init", keys=keys, thresholds={"root": 2})
    return house.sign(proposal, *(hand for found in hands.values() for hand in found)).id


@pytest.mark.parametrize("kept", range(WRITES + 1))
def test_a_kill_at_a_write(
    house: House, core: Core, device: Follower, people: dict[str, list[Hand]], kept: int
) -> None:
    house.approve(MODEL)
    waiting = prepared(house, people)
    shelf = Fragile(core.shelf, kept)
    fragile = House(core, Repository(shelf, KeyFiles(core.keys), core.clock.now))
    if kept < WRITES:
        with pytest.raises(Killed):
            fragile.sign(fragile.find(waiting), people["builders"][0])
    else:
        fragile.sign(fragile.find(waiting), people["builders"][0])
        assert shelf.written == WRITES
    assert device.find(MODEL) is not None
    decided = kept > 0
    again = House(core)
    again.proposals.settle()
    assert again.find(waiting).state is (ProposalState.PUBLISHED if decided else ProposalState.OPEN)
    assert again.proposals.mode() is (TrustMode.OFFLINE if decided else TrustMode.DEVELOPER)
    if not decided:
        assert again.sign(again.find(waiting), people["builders"][0]).state is ProposalState.PUBLISHED
    assert {path.name for path in core.keys.glob("tuf-*")} == ONLINE
    assert device.find(MODEL) is not None
    assert len(again.find(waiting).signatures) >= 6


def test_a_kill_while_old_keys_are_deleted(
    house: House, core: Core, device: Follower, people: dict[str, list[Hand]]
) -> None:
    waiting = prepared(house, people)
    fragile = House(core, Repository(core.shelf, Forgetting(core.keys), core.clock.now))
    with pytest.raises(Killed):
        fragile.sign(fragile.find(waiting), people["builders"][0])
    assert not {path.name for path in core.keys.glob("tuf-*")} <= ONLINE
    again = House(core)
    again.proposals.settle()
    assert {path.name for path in core.keys.glob("tuf-*")} == ONLINE
    assert again.find(waiting).state is ProposalState.PUBLISHED
    assert device.find(MODEL) is None


def test_listeners_hear_of_what_went_out_before_a_kill(house: House, core: Core, people: dict[str, list[Hand]]) -> None:
    house.take_over(people)
    waiting = house.approve(MODEL)
    fragile = House(core, Repository(Fragile(core.shelf, 2), KeyFiles(core.keys), core.clock.now))
    with pytest.raises(Killed):
        fragile.sign(waiting, people["approvers"][0])
    again, heard = House(core), []
    again.proposals.listeners.append(lambda session, proposal: heard.append(proposal))
    again.proposals.settle()
    assert [(one.id, one.state) for one in heard] == [(waiting.id, ProposalState.PUBLISHED)]
    assert [one.key for one in heard[0].signatures] == [people["approvers"][0].id]


def test_a_listener_that_fails_keeps_everything_as_it_was(house: House, people: dict[str, list[Hand]]) -> None:
    house.take_over(people)
    waiting = house.approve(MODEL)

    def fail(*_: object) -> None:
        raise RuntimeError("the model is gone")

    house.proposals.listeners.append(fail)
    with pytest.raises(RuntimeError, match="gone"):
        house.sign(waiting, people["approvers"][0])
    assert house.find(waiting.id).signed == (0, 1)
    assert house.proposals.repository.find(MODEL) is None
