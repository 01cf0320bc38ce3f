"""`lineside trust` against a real control plane: one takeover, ceremonies after it, and a control plane that lies."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from lineside.cli.main import main
from lineside.client import Client
from lineside.contract.ceremony import ProposalState, ProposeChange, Signatures
from lineside.contract.errors import LinesideError
from lineside.server.access.room import room as access
from lineside.server.adapters.tuf import Draft, NewTarget, Repository
from lineside.server.devices.room import room as devices
from lineside.server.testing import FakeClock, Running, running
from lineside.server.trust import api, changing
from lineside.server.trust.room import room as trust
from lineside.server.trust.service import Proposals
from tests.server.trust.hands import Follower, Hand

MODEL = "models/tags.model-1.0.0.json"
DIGEST = "sha256:" + "a" * 64

Cli = Callable[..., tuple[int, Any]]


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root", FakeClock(datetime.now(UTC)), (access, trust, devices)) as up:
        yield up


@pytest.fixture
def cli(plane: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Runs `lineside … --json` on a signer's machine; answers its status and what it printed."""
    monkeypatch.setenv("LINESIDE_URL", plane.people_url)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*arguments: str) -> tuple[int, Any]:
        status = main([*arguments, "--json"])
        return status, json.loads(capfd.readouterr().out)

    return run


@pytest.fixture
def proposals(plane: Running) -> Proposals:
    found = plane.apps.services["proposals"]
    assert isinstance(found, Proposals)
    return found


@pytest.fixture
def device(proposals: Proposals, tmp_path: Path) -> Follower:
    return Follower(tmp_path / "device", proposals.repository)


def code(answer: Any) -> str:
    return str(answer["error"]["code"])


def take_over(cli: Cli, keys: Path) -> str:
    """Two of three root keys, two approvers of which both must sign; the root to be compared."""
    options = ["--root-keys", "3", "--root-threshold", "2", "--approver", "anna", "--approver", "ben"]
    status, view = cli("trust", "init", "--keys", str(keys), *options, "--threshold", "approvers=2", "--yes")
    assert status == 0, view
    assert view["mode"] == "offline"
    return str(view["root_sha256"])


def propose_model(plane: Running, proposals: Proposals) -> str:
    with plane.core.database.write() as session:
        new = NewTarget(path=MODEL, digest=DIGEST, size=3, custom={"model": "tags"})
        return proposals.propose(session, "model.approve", "tags:1", "anna", "", lambda draft: draft.add(new)).id


def test_one_command_takes_the_keys_and_devices_follow(
    plane: Running, cli: Cli, device: Follower, tmp_path: Path
) -> None:
    assert cli("trust", "show")[1]["mode"] == "developer"
    take_over(cli, tmp_path / "keys")
    made = sorted(path.name for path in (tmp_path / "keys").glob("*.pem"))
    names = ["approver-anna", "approver-ben", "builder-builder", "root-1", "root-2", "root-3", "targets"]
    assert made == [f"{name}.pem" for name in names]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").glob("*.pem")} == {0o600}
    assert not list((plane.core.root / "keys").glob("tuf-root*"))
    roles = {role["name"]: role for role in cli("trust", "show")[1]["roles"]}
    assert (roles["root"]["threshold"], len(roles["root"]["keys"])) == (2, 3)
    assert [key["name"] for key in roles["approvers"]["keys"]] == ["anna", "ben"]
    assert all(key["last_used"] for role in roles.values() for key in role["keys"])
    assert device.find(MODEL) is None


def test_a_second_takeover_is_refused(cli: Cli, tmp_path: Path) -> None:
    take_over(cli, tmp_path / "keys")
    status, answer = cli("trust", "init", "--keys", str(tmp_path / "others"), "--yes")
    assert (status, code(answer)) == (1, "trust.taken_over")


def test_two_approvers_sign_on_machines_of_their_own(
    plane: Running, cli: Cli, proposals: Proposals, device: Follower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys"
    root = take_over(cli, keys)
    waiting = propose_model(plane, proposals)
    status, first = cli("trust", "sign", waiting, "--key", str(keys / "approver-anna.pem"), "--yes")
    assert (status, first["state"]) == (0, "open")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "ben"))
    ben = ("trust", "sign", waiting, "--key", str(keys / "approver-ben.pem"), "--yes")
    status, answer = cli(*ben)
    assert (status, code(answer)) == (1, "trust.root_unconfirmed")
    status, answer = cli(*ben, "--root-sha256", "0" * 64)
    assert (status, code(answer)) == (1, "trust.root_differs")
    status, second = cli(*ben, "--root-sha256", root)
    assert (status, second["state"]) == (0, "published")
    assert device.find(MODEL) == DIGEST


def test_ceremonies_after_it_are_followed_by_devices(
    plane: Running, cli: Cli, proposals: Proposals, device: Follower, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    take_over(cli, keys)
    assert device.find(MODEL) is None

    def done(*arguments: str) -> None:
        status, answer = cli(*arguments, "--yes")
        assert status == 0, answer
        assert answer["state"] == "published", answer
        device.find(MODEL)

    def sign(*names: str) -> list[str]:
        return [part for name in names for part in ("--sign", str(keys / f"{name}.pem"))]

    assert cli("trust", "key", "make", str(keys / "carl.pem"))[0] == 0
    carl = ["--public", str(keys / "carl.pem.pub"), "--name", "carl"]
    done("trust", "key", "add", "approvers", *carl, *sign("targets"))
    done("trust", "key", "remove", "approvers", "ben", *sign("targets", "approver-anna", "carl"))
    done("trust", "threshold", "approvers", "1", *sign("targets"))
    assert cli("trust", "key", "make", str(keys / "root-4.pem"))[0] == 0
    fourth = ["--public", str(keys / "root-4.pem.pub"), "--name", "root-4", "--key", "root-1"]
    done("trust", "rotate", "root", *fourth, *sign("root-1", "root-2", "root-4"))
    done("trust", "rotate", "timestamp", *sign("root-2", "root-4"))
    done("trust", "renew", "targets", *sign("targets"))
    assert len(list((plane.core.root / "keys").glob("tuf-timestamp*.pem"))) == 1
    waiting = propose_model(plane, proposals)
    ben = cli("trust", "sign", waiting, "--key", str(keys / "approver-ben.pem"), "--yes")
    assert (ben[0], code(ben[1])) == (1, "trust.nothing_to_sign")
    done("trust", "sign", waiting, "--key", str(keys / "carl.pem"))
    assert device.find(MODEL) == DIGEST


def test_a_proposal_that_does_more_than_it_says_is_not_signed(
    plane: Running, cli: Cli, proposals: Proposals, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    take_over(cli, keys)
    with plane.core.database.write() as session:

        def two(draft: Any) -> None:
            for number in (1, 2):
                draft.add(NewTarget(path=f"models/tags.model-{number}.0.0.json", digest=DIGEST, size=3))

        lying = proposals.propose(session, "model.approve", "tags:1", "anna", "", two).id
    status, answer = cli("trust", "sign", lying, "--key", str(keys / "approver-anna.pem"), "--yes")
    assert (status, code(answer)) == (1, "trust.proposal_unexpected")
    assert "models/tags.model-2.0.0.json" in answer["error"]["message"]


def test_a_control_plane_that_was_set_back_is_not_signed_for(
    plane: Running, cli: Cli, proposals: Proposals, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    take_over(cli, keys)
    tuf = plane.core.root / "tuf"
    before = {path: path.read_bytes() for path in tuf.iterdir() if path.is_file()}
    waiting = propose_model(plane, proposals)
    for name in ("anna", "ben"):
        assert cli("trust", "sign", waiting, "--key", str(keys / f"approver-{name}.pem"), "--yes")[0] == 0
    status, answer = cli("trust", "renew", "approvers")
    assert cli("trust", "sign", answer["id"], "--key", str(keys / "approver-anna.pem"), "--yes")[0] == 0
    for path, data in before.items():
        path.write_bytes(data)
    status, answer = cli("trust", "renew", "builders")
    assert answer["state"] == ProposalState.OPEN.value
    status, answer = cli("trust", "sign", answer["id"], "--key", str(keys / "builder-builder.pem"), "--yes")
    assert (status, code(answer)) == (1, "trust.history_broken")


def test_a_root_that_the_old_one_did_not_sign_is_not_followed(
    plane: Running, cli: Cli, proposals: Proposals, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    take_over(cli, keys)
    waiting = propose_model(plane, proposals)
    forged = Metadata.from_bytes((plane.core.root / "tuf" / "2.root.json").read_bytes())
    forged.signed.version = 3
    mallory = CryptoSigner.generate_ed25519()
    forged.signed.add_key(mallory.public_key, "root")
    forged.signed.roles["root"].threshold = 1
    forged.sign(mallory)
    (plane.core.root / "tuf" / "3.root.json").write_bytes(forged.to_bytes())
    sign = ("trust", "sign", waiting, "--key", str(keys / "approver-anna.pem"), "--yes")
    status, answer = cli(*sign)
    assert (status, code(answer)) == (1, "trust.history_broken")


def test_a_key_with_a_passphrase(plane: Running, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys"
    monkeypatch.setenv("LINESIDE_KEY_PASSPHRASE", "only for this test")
    assert cli("trust", "init", "--keys", str(keys), "--passphrase", "--yes")[1]["mode"] == "offline"
    assert b"ENCRYPTED" in (keys / "root.pem").read_bytes()
    monkeypatch.setenv("LINESIDE_KEY_PASSPHRASE", "another")
    status, answer = cli("trust", "renew", "root", "--sign", str(keys / "root.pem"), "--yes")
    assert (status, code(answer)) == (1, "trust.key_file")


def test_a_key_is_never_written_over(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "carl.pem"
    made = cli("trust", "key", "make", str(file))[1]
    before = file.read_bytes()
    assert (tmp_path / "carl.pem.pub").read_text() == made["public"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    status, answer = cli("trust", "key", "make", str(file))
    assert (status, code(answer)) == (1, "trust.key_file_exists")
    assert file.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} >= {"carl.pem", "carl.pem.pub"}
    assert not list(tmp_path.glob(".carl*"))


def test_nothing_is_signed_that_nobody_agreed_to(
    plane: Running, cli: Cli, proposals: Proposals, tmp_path: Path
) -> None:
    take_over(cli, tmp_path / "keys")
    waiting = propose_model(plane, proposals)
    status, answer = cli("trust", "sign", waiting, "--key", str(tmp_path / "keys" / "approver-anna.pem"))
    assert (status, code(answer)) == (1, "trust.not_confirmed")
    assert cli("trust", "proposal", "show", waiting)[1]["signatures"] == []


def test_a_key_that_counts_already_is_not_added_again(cli: Cli, tmp_path: Path) -> None:
    take_over(cli, tmp_path / "keys")
    public = str(tmp_path / "keys" / "approver-anna.pem.pub")
    status, answer = cli("trust", "key", "add", "approvers", "--public", public, "--name", "anna")
    assert (status, code(answer)) == (1, "trust.key_known")


def test_withdrawing(plane: Running, cli: Cli, proposals: Proposals, tmp_path: Path) -> None:
    take_over(cli, tmp_path / "keys")
    waiting = propose_model(plane, proposals)
    assert [one["id"] for one in cli("trust", "proposals", "--state", "open")[1]] == [waiting]
    assert cli("trust", "withdraw", waiting, "--reason", "a mistake")[1]["state"] == "withdrawn"
    assert cli("trust", "proposal", "show", waiting)[1]["reason"] == "a mistake"
    status, answer = cli("trust", "sign", waiting, "--key", str(tmp_path / "keys" / "approver-anna.pem"), "--yes")
    assert (status, code(answer)) == (1, "trust.proposal_closed")


def test_a_takeover_that_would_trust_another_key_too_is_not_signed(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mallory = Hand("mallory").key("approvers")

    def prepared(change: ProposeChange, repository: Repository) -> Callable[[Draft], object]:
        return changing.prepared(msgspec.structs.replace(change, keys=(*change.keys, mallory)), repository)

    monkeypatch.setattr(api, "prepared", prepared)
    status, answer = cli("trust", "init", "--keys", str(tmp_path / "keys"), "--yes")
    assert (status, code(answer)) == (1, "trust.proposal_unexpected")
    assert "other keys for approvers" in answer["error"]["message"]
    assert cli("trust", "show")[1]["mode"] == "developer"


@pytest.mark.parametrize("nonsense", ["", "zz", "00", "\x00", "ü" * 128])
def test_what_is_no_signature_is_refused(plane: Running, proposals: Proposals, nonsense: str) -> None:
    hand = Hand("targets")
    change = ProposeChange(kind="key.rotate", role="targets", public=hand.public, name="targets")
    waiting = api.propose(change, proposals, plane.core.database)
    given = Signatures(key=hand.id, signatures={"targets": nonsense})
    client = Client(plane.people_url)
    with pytest.raises(LinesideError, match=r"trust\.signature_wrong"):
        client.add_signatures(waiting.id, given)
