"""Secrets on disk: sealed for the device's key, the newest value current, the one before previous."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from lineside.agent.keys.files import FileKeys
from lineside.agent.keys.port import CURRENT, NEXT, PREVIOUS
from lineside.agent.link.error import LinkError
from lineside.agent.link.secrets import SecretsLink
from lineside.agent.main import main
from lineside.agent.paths import Paths
from lineside.agent.secrets import Secrets
from lineside.agent.testing import FakeControlPlane
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.sealing import seal
from lineside.contract.secret import GivenSecret, GivenSecrets, GivenVersion, about

OLD = (
    b'{"id":"db","versions":[{"id":"v2","stages":["AWSCURRENT"],"text":"old-clear"},'
    b'{"id":"v1","stages":["AWSPREVIOUS"],"data":"/wA="}]}'
)
"""As an older agent wrote it."""


@pytest.fixture
def keys(tmp_path: Path) -> FileKeys:
    found = FileKeys(tmp_path / "keys")
    found.make(CURRENT)
    return found


@pytest.fixture
def secrets(tmp_path: Path, keys: FileKeys) -> Secrets:
    return Secrets(tmp_path / "secrets", keys)


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def given(keys: FileKeys, **values: bytes) -> GivenSecrets:
    """As the control plane gives them: sealed for the device's current key."""
    public = load_pem_public_key(keys.public(CURRENT).encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return GivenSecrets(
        secrets=tuple(
            GivenSecret(
                name=name,
                versions=(
                    GivenVersion(id="1", stages=("AWSCURRENT",), box=seal(public, value, about(name, "1").encode())),
                ),
            )
            for name, value in values.items()
        )
    )


def test_a_new_value_is_current_and_the_one_before_previous(secrets: Secrets) -> None:
    first = secrets.set("camera/password", b"one")
    second = secrets.set("camera/password", b"two")
    found = secrets.get("camera/password")
    assert (found.text, found.version) == ("two", second)
    assert secrets.get("camera/password", stage="AWSPREVIOUS").text == "one"
    assert secrets.get("camera/password", version=first).stages == ("AWSPREVIOUS",)
    secrets.set("camera/password", b"three")
    with pytest.raises(LinesideError, match=r"bus\.secret_unknown"):
        secrets.get("camera/password", version=first)
    assert secrets.names() == ["camera/password"]


def test_a_value_is_never_on_disk_in_clear_and_only_the_owner_may_read(tmp_path: Path, secrets: Secrets) -> None:
    secrets.set("../key", b"hunter2-\xff")
    (file,) = (tmp_path / "secrets").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert b"hunter2" not in everything(tmp_path)
    found = secrets.get("../key")
    assert (found.text, found.data) == (None, b"hunter2-\xff")


@pytest.mark.parametrize("id", ["db", "arn:aws:secretsmanager:eu-west-1:1:secret:db-a1B2c3"])
def test_an_arn_names_the_same_secret(secrets: Secrets, id: str) -> None:
    secrets.set("db", b"x")
    assert secrets.get(id).text == "x"


def test_people_set_list_and_remove_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"s3cret\n")))
    where = ["--root", str(tmp_path)]
    assert main(["secret", "set", "db", *where]) == 0
    assert "s3cret" not in capsys.readouterr().out
    paths = Paths(tmp_path)
    kept = Secrets(paths.secrets, FileKeys(paths.key.parent))
    assert kept.get("db").text == "s3cret"
    kept.take(given(FileKeys(paths.key.parent), camera=b"x"), "1")
    assert main(["secret", "list", *where]) == 0
    assert capsys.readouterr().out == "db\ncamera (from the control plane)\n"
    assert main(["secret", "remove", "db", *where]) == 0
    assert main(["secret", "remove", "db", *where]) == 1


def test_a_secret_that_is_not_there_has_a_code(secrets: Secrets) -> None:
    with pytest.raises(LinesideError, match=r"bus\.secret_unknown"):
        secrets.get("nothing")
    with pytest.raises(LinesideError, match=r"bus\.secret_unknown"):
        secrets.remove("nothing")


def test_what_an_older_agent_left_in_clear_is_sealed_once(tmp_path: Path, secrets: Secrets) -> None:
    file = tmp_path / "secrets" / "db"
    file.parent.mkdir()
    file.write_bytes(OLD)
    assert secrets.get("db").text == "old-clear"
    SecretsLink(FakeControlPlane(), secrets).look()
    assert b"old-clear" not in everything(tmp_path)
    assert b"/wA=" not in everything(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert secrets.get("db").text == "old-clear"
    assert secrets.get("db", stage="AWSPREVIOUS").data == b"\xff\x00"
    sealed = file.read_bytes()
    SecretsLink(FakeControlPlane(), secrets).look()
    assert file.read_bytes() == sealed


def test_an_older_agents_value_that_is_replaced_is_sealed_too(tmp_path: Path, secrets: Secrets) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "db").write_bytes(OLD)
    secrets.set("db", b"new")
    assert b"old-clear" not in everything(tmp_path)
    assert secrets.get("db", stage="AWSPREVIOUS").text == "old-clear"


def test_what_the_control_plane_gives_replaces_what_it_gave(keys: FileKeys, secrets: Secrets) -> None:
    plane = FakeControlPlane()
    link = SecretsLink(plane, secrets)
    secrets.set("db", b"set here")
    plane.given = (given(keys, db=b"delivered", camera=b"x"), "1")
    link.look()
    assert (secrets.get("db").text, secrets.delivered(), secrets.etag) == ("delivered", ["camera", "db"], "1")
    plane.away = True
    link.look()
    assert secrets.get("camera").text == "x"  # works offline
    plane.away = False
    plane.given = (GivenSecrets(), "2")
    link.look()
    assert (secrets.get("db").text, secrets.delivered()) == ("set here", [])
    with pytest.raises(LinesideError, match=r"bus\.secret_unknown"):
        secrets.get("camera")


def test_a_box_under_another_name_does_not_open(keys: FileKeys, secrets: Secrets) -> None:
    (one,) = given(keys, db=b"x").secrets
    secrets.take(GivenSecrets(secrets=(msgspec.structs.replace(one, name="root"),)), "1")
    with pytest.raises(LinesideError, match="sealed as something else"):
        secrets.get("root")


def test_after_a_change_of_keys_everything_is_sealed_for_the_new_one(
    tmp_path: Path, keys: FileKeys, secrets: Secrets
) -> None:
    secrets.set("db", b"one")
    secrets.set("db", b"two")
    secrets.take(given(keys, camera=b"delivered"), "1")
    broken = given(FileKeys(tmp_path / "keys"), lost=b"x").secrets
    keys.make(NEXT)
    keys.promote()
    SecretsLink(FakeControlPlane(), secrets).look()
    assert not keys.exists(PREVIOUS)
    assert (secrets.get("db").text, secrets.get("db", stage="AWSPREVIOUS").text) == ("two", "one")
    assert secrets.get("camera").text == "delivered"
    secrets.take(GivenSecrets(secrets=broken), "2")  # for a key that is gone: no reason to stop
    keys.make(NEXT)
    keys.promote()
    secrets.reseal()
    assert not keys.exists(PREVIOUS)
    assert secrets.get("db").text == "two"


def test_the_key_before_stays_while_something_cannot_be_resealed(
    keys: FileKeys, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.set("db", b"one")
    keys.make(NEXT)
    keys.promote()
    monkeypatch.setattr(keys, "reseal", _fails)
    SecretsLink(FakeControlPlane(), secrets).look()
    assert keys.exists(PREVIOUS)
    monkeypatch.undo()
    SecretsLink(FakeControlPlane(), secrets).look()
    assert not keys.exists(PREVIOUS)
    assert secrets.get("db").text == "one"


def _fails(boxes: object) -> object:
    raise LinkError("device.key_unusable", path="key", why="the disk is away")


@pytest.mark.parametrize(("code", "said"), [("request.no_such_path", False), ("auth.token_invalid", True)])
def test_a_control_plane_that_refuses_changes_nothing(
    keys: FileKeys, secrets: Secrets, caplog: pytest.LogCaptureFixture, code: str, said: bool
) -> None:
    secrets.take(given(keys, db=b"x"), "1")

    class Refusing(FakeControlPlane):
        def secrets(self, etag: str) -> None:
            raise RemoteError(LinesideError(code, path="/secrets").report(), 404)

    SecretsLink(Refusing(), secrets).look()
    assert secrets.get("db").text == "x"
    assert bool(caplog.records) == said


def test_files_that_cannot_be_used_are_no_reason_to_stop_asking(
    tmp_path: Path, secrets: Secrets, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "secrets").write_text("a file stands where the folder was")
    SecretsLink(FakeControlPlane(), secrets).look()
    assert "secrets" in caplog.text
