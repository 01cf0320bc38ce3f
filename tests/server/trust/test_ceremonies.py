"""No sequence of ceremonies leads to metadata that a client cannot follow, be it from the first root on."""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lineside.contract.ceremony import ProposalState
from lineside.contract.errors import LinesideError
from lineside.server.adapters.signer import KeyFiles
from lineside.server.adapters.tuf import FolderShelf, Repository
from lineside.server.testing import FakeClock, make_core
from tests.server.trust.hands import Follower, Hand, House

ROLES = ("root", "targets", "approvers", "builders", "staging", "snapshot", "timestamp")
OFFLINE = ROLES[:4]
EXAMPLES = int(os.environ.get("LINESIDE_CEREMONIES", "4"))
"""Each takes some seconds."""


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


class Ceremonies(RuleBasedStateMachine):
    """People propose, sign, withdraw and forget in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._root = Path(self._folder.name)
        self._core = make_core(self._root / "root", FakeClock(datetime.now(UTC)))
        keys = KeyFiles(self._core.keys)  # files are not synced: nothing is killed here
        self.house = House(
            self._core, Repository(FolderShelf(self._core.root / "tuf", _write), keys, self._core.clock.now)
        )
        self.first = self.house.proposals.repository.root().encode()
        self.device = Follower(self._root / "device", self.house.proposals.repository)
        self.hands: list[Hand] = []
        self.models = 0
        self.followers = 0

    @initialize(thresholds=st.fixed_dictionaries({"root": st.integers(1, 2), "approvers": st.integers(1, 2)}))
    def take_over(self, thresholds: dict[str, int]) -> None:
        people = {role: [Hand(f"{role}-{n}") for n in range(2)] for role in OFFLINE}
        self.hands = [hand for found in people.values() for hand in found]
        self.house.take_over(people, **thresholds)

    @rule(role=st.sampled_from(ROLES))
    def add(self, role: str) -> None:
        hand = Hand(f"hand-{len(self.hands)}")
        self.hands.append(hand)
        self._propose(kind="key.add", role=role, public=hand.public, name=hand.name)

    @rule(role=st.sampled_from(ROLES), which=st.integers(0, 5))
    def remove(self, role: str, which: int) -> None:
        self._propose(kind="key.remove", role=role, key=self._key(role, which))

    @rule(role=st.sampled_from(ROLES), which=st.integers(0, 5))
    def rotate(self, role: str, which: int) -> None:
        hand = Hand(f"hand-{len(self.hands)}")
        self.hands.append(hand)
        given = {"public": hand.public, "name": hand.name} if role in OFFLINE else {}
        self._propose(kind="key.rotate", role=role, key=self._key(role, which), **given)

    @rule(role=st.sampled_from(ROLES), threshold=st.integers(1, 3))
    def threshold(self, role: str, threshold: int) -> None:
        self._propose(kind="threshold", role=role, threshold=threshold)

    @rule(role=st.sampled_from(ROLES))
    def renew(self, role: str) -> None:
        self._propose(kind="renew", role=role)

    @rule()
    def approve(self) -> None:
        self.models += 1
        self.house.approve(f"models/m-{self.models}.json")

    @rule(which=st.integers(0, 9), signers=st.integers(0, 255))
    def sign(self, which: int, signers: int) -> None:
        """Some of those who are asked sign one of the proposals that wait."""
        waiting = self._waiting()
        if not waiting:
            return
        proposal = waiting[which % len(waiting)]
        for number, hand in enumerate(self.hands):
            asked = any(hand.id in quorum.keys for file in proposal.files for quorum in file.quorums)
            if not asked or (signers >> (number % 8)) & 1:
                continue
            proposal = self.house.sign(proposal, hand)
            if proposal.state is not ProposalState.OPEN:
                return

    @rule(which=st.integers(0, 9))
    def withdraw(self, which: int) -> None:
        waiting = self._waiting()
        if waiting:
            with self._core.database.write() as session:
                self.house.proposals.withdraw(session, waiting[which % len(waiting)].id)

    @rule(hours=st.sampled_from([1, 13, 24 * 5]))
    def time_passes(self, hours: int) -> None:
        """The loops do what they do; the clock itself stays where the clients' is."""
        self._core.clock.advance(hours * 3600)  # type: ignore[attr-defined]
        self.house.proposals.repository.renew()
        self.house.proposals.settle()
        self._core.clock.advance(-hours * 3600)  # type: ignore[attr-defined]

    @invariant()
    def a_device_that_came_along_follows(self) -> None:
        self.device.find("models/m-1.json")

    @invariant()
    def a_device_that_was_off_since_the_first_root_follows(self) -> None:
        self.followers += 1
        if self.followers % 4:
            return
        late = Follower(self._root / f"late-{self.followers}", self.house.proposals.repository, self.first)
        late.find("models/m-1.json")

    @invariant()
    def the_control_plane_can_go_on(self) -> None:
        state = self.house.proposals.repository.state()
        for role in ROLES:
            assert len(set(state.role(role).keyids)) >= state.role(role).threshold >= 1
        assert all(self.house.proposals.can_sign(role) for role in ("snapshot", "timestamp", "staging"))

    def teardown(self) -> None:
        self._core.database.close()
        self._folder.cleanup()

    def _key(self, role: str, which: int) -> str:
        keys = self.house.proposals.repository.state().role(role).keyids
        return keys[which % len(keys)]

    def _waiting(self) -> list:
        with self._core.database.read() as session:
            return self.house.proposals.all(session, ProposalState.OPEN)

    def _propose(self, **change: object) -> None:
        """Many of them make no sense: those are refused, and nothing else goes wrong."""
        with contextlib.suppress(LinesideError):
            self.house.propose(**change)


TestCeremonies = pytest.mark.slow(Ceremonies.TestCase)
TestCeremonies.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
