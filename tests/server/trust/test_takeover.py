"""The keys that decide go elsewhere, and devices follow."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lineside.contract.ceremony import ProposalState, TrustMode
from lineside.contract.errors import LinesideError
from lineside.server.adapters.signer import KeyFiles
from lineside.server.adapters.tuf import Repository
from lineside.server.services import Core
from lineside.server.trust.service import Proposals
from lineside.server.trust.view import TrustPage
from tests.server.trust.hands import Follower, Hand, House

People = dict[str, list[Hand]]

MODEL = "models/tags.model-1.0.0.json"
OTHER = "models/tags.model-2.0.0.json"


def test_in_developer_trust_what_is_proposed_is_published_in_the_same_breath(house: House, device: Follower) -> None:
    assert house.proposals.mode() is TrustMode.DEVELOPER
    assert house.approve(MODEL).state is ProposalState.PUBLISHED
    assert device.find(MODEL) is not None


def test_a_takeover_is_published_when_every_new_key_has_signed_and_devices_follow(
    house: House, device: Follower, core: Core, people: People
) -> None:
    house.approve(MODEL)
    assert device.find(MODEL) is not None
    done = house.take_over(people, root=2, approvers=2)
    assert done.state is ProposalState.PUBLISHED
    assert house.proposals.mode() is TrustMode.OFFLINE
    assert sorted(path.name for path in core.keys.glob("tuf-*.pem")) == [
        "tuf-snapshot.pem",
        "tuf-staging.pem",
        "tuf-timestamp.pem",
    ]
    assert device.find(MODEL) is not None


def test_after_it_a_model_needs_its_approvers(house: House, device: Follower, people: People) -> None:
    house.take_over(people, root=2, approvers=2)
    waiting = house.approve(OTHER)
    assert (waiting.state, waiting.signed) == (ProposalState.OPEN, (0, 2))
    waiting = house.sign(waiting, people["approvers"][0])
    assert (waiting.state, waiting.signed) == (ProposalState.OPEN, (1, 2))
    assert device.find(OTHER) is None
    assert house.sign(waiting, people["approvers"][1]).state is ProposalState.PUBLISHED
    assert device.find(OTHER) is not None


def test_one_approver_twice_is_one(house: House, people: People) -> None:
    house.take_over(people, approvers=2)
    anna = people["approvers"][0]
    assert house.sign(house.approve(OTHER), anna, anna).signed == (1, 2)


def test_a_signature_of_another_key_or_over_other_bytes_is_refused(house: House, people: People) -> None:
    house.take_over(people, approvers=2)
    first, second = house.approve(MODEL), house.approve(OTHER)
    anna, builder = people["approvers"][0], people["builders"][0]
    stray = anna.sign(first)
    with pytest.raises(LinesideError, match=r"trust\.signature_wrong"), house.core.database.write() as session:
        house.proposals.add_signatures(session, second.id, stray)
    forged = type(stray)(key=builder.id, signatures=stray.signatures)
    with pytest.raises(LinesideError, match=r"trust\.key_not_asked"), house.core.database.write() as session:
        house.proposals.add_signatures(session, first.id, forged)
    assert house.find(first.id).signed == (0, 2)


def test_what_was_published_first_makes_the_other_stale(house: House, people: People) -> None:
    house.take_over(people)
    first, second = house.approve(MODEL), house.approve(OTHER)
    anna = people["approvers"][0]
    assert house.sign(first, anna).state is ProposalState.PUBLISHED
    assert house.find(second.id).state is ProposalState.STALE
    with pytest.raises(LinesideError, match=r"trust\.proposal_closed"):
        house.sign(second, anna)


def test_every_control_plane_deletes_the_keys_that_were_taken_over(
    house: House, core: Core, people: People, tmp_path: Path
) -> None:
    """Another one has them in its own R/keys, and did not publish the takeover."""
    shutil.copytree(core.keys, tmp_path / "other")
    other = Repository(core.shelf, KeyFiles(tmp_path / "other"), core.clock.now)
    other.forget_taken_over()
    assert len(list((tmp_path / "other").glob("tuf-*.pem"))) == 7
    house.take_over(people, root=2, approvers=2)
    other.forget_taken_over()
    kept = {path.name for path in (tmp_path / "other").glob("tuf-*.pem")}
    assert kept == {"tuf-snapshot.pem", "tuf-staging.pem", "tuf-timestamp.pem"}


@pytest.mark.postgresql_only
def test_a_control_plane_says_which_key_another_one_has_changed(core: Core, house: House, tmp_path: Path) -> None:
    shutil.copytree(core.keys, tmp_path / "keys")
    other = replace(core, root=tmp_path)
    house.propose(kind="key.rotate", role="timestamp")

    def needs(core: Core) -> list[str]:
        with core.database.read() as session:
            return [need.what for need in TrustPage(core, Proposals(core)).needs(session)]

    assert needs(core) == []
    assert needs(other) == ["This control plane lacks the key of timestamp that another one has"]
    shutil.copytree(core.keys, tmp_path / "keys", dirs_exist_ok=True)
    assert needs(other) == []


def test_a_key_that_is_renewed_twice_before_anybody_signs_is_the_one_that_was_proposed_last(
    house: House, device: Follower, core: Core, people: People
) -> None:
    house.take_over(people, root=2, approvers=2)
    first = house.propose(kind="key.rotate", role="snapshot")
    core.clock.advance(3600)  # type: ignore[attr-defined]
    second = house.propose(kind="key.rotate", role="snapshot")
    assert house.find(first.id).state is ProposalState.WITHDRAWN
    assert house.sign(second, *people["root"][:2]).state is ProposalState.PUBLISHED
    assert house.proposals.can_sign("snapshot")
    assert len(list(core.keys.glob("tuf-snapshot*.pem"))) == 1
    assert house.approve(MODEL).state is ProposalState.OPEN
