"""Attacks on signed metadata, against the agent's own judge: whoever sits between, holds the mirror, or stole a key.

Names are those of the TUF specification, section 1.5.2. What the attacker has is said in each test.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from lineside.agent.attention import Attention
from lineside.agent.paths import Paths
from lineside.agent.testing import FakeControlPlane
from lineside.agent.updating.trust import Trust
from lineside.agent.updating.verdicts import Begin, Check, Done, Failed, Fetch, Found, Refresh
from lineside.agent.updating.verifying import Verifier
from lineside.contract.errors import LinesideError
from tests.agent.tuf_repository import TufRepository

MODEL, APP = "models/tags.model-1.0.0.json", "apps/app-1.0.0.json"
DAY = 86_400.0


class Device:
    """One device's judge over what a mirror serves; `files` is the attacker's to change."""

    def __init__(self, folder: Path) -> None:
        self.repository = TufRepository()
        self.repository.add(APP, b"app")
        self.repository.add(MODEL, b"model")
        self.files, self.targets = self.repository.files, self.repository.targets
        self.folder = folder
        self._root = self.repository.root.encode()
        self.later = 0.0

    def judge(self) -> Verifier:
        """As after a restart: what was believed is on disk."""
        return Verifier(Begin(str(self.folder), self._root, time.time() + self.later), self._find)

    def _find(self, url: str, limit: int) -> Found:
        folder, _, name = url.partition("/")
        data = self.files.get(name) if folder == "tuf" else self.targets.get(name)
        return Found(missing=True) if data is None else Found(data)

    def asks(self, target: str = APP) -> str:
        """What comes of bringing the metadata up to date and asking for a target: its digest, or the refusal's code."""
        judge = self.judge()
        for question in (Refresh(), Check(target)):
            answer = judge.answer(question)
            if isinstance(answer, Failed):
                return answer.code
        assert isinstance(answer, Done)
        return answer.digest or "trust.unknown_target"

    def sign(self, role: str, name: str, signed: Root | Targets | Snapshot | Timestamp, *keys: CryptoSigner) -> None:
        """The attacker puts a file there, signed with the keys that are given."""
        metadata = Metadata(signed)
        for key in keys:
            metadata.sign(key, append=True)
        self.files[name] = metadata.to_bytes(JSONSerializer(compact=True))

    def read(self, name: str) -> Metadata[Root | Targets | Snapshot | Timestamp]:
        """A file that is served now."""
        return Metadata.from_bytes(self.files[name])

    def point_to(self, snapshot: Snapshot) -> None:
        """With the keys of snapshot and timestamp: a state of the attacker's making is the newest."""
        keys = self.repository.signers
        self.sign("snapshot", f"{snapshot.version}.snapshot.json", snapshot, keys["snapshot"])
        timestamp = self.read("timestamp.json").signed
        assert isinstance(timestamp, Timestamp)
        timestamp.version += 1
        timestamp.snapshot_meta = MetaFile(version=snapshot.version)
        self.sign("timestamp", "timestamp.json", timestamp, keys["timestamp"])

    def snapshot(self) -> Snapshot:
        """The newest one, to be changed."""
        name = max((one for one in self.files if one.endswith("snapshot.json")), key=lambda one: int(one.split(".")[0]))
        found = self.read(name).signed
        assert isinstance(found, Snapshot)
        found.version += 1
        return found


@pytest.fixture
def device(tmp_path: Path) -> Device:
    found = Device(tmp_path / "metadata")
    assert found.asks().startswith("sha256:")
    return found


def test_rollback(device: Device) -> None:
    """An old state of everything, once signed by the right keys. The attacker has the network."""
    old = dict(device.files)
    device.repository.add("apps/app-2.0.0.json", b"newer")
    assert device.asks("apps/app-2.0.0.json").startswith("sha256:")
    device.files.clear()
    device.files.update(old)
    assert device.asks() == "trust.rollback"


def test_rollback_with_the_timestamp_key_stolen(device: Device) -> None:
    """A newer timestamp that points to an older snapshot."""
    device.repository.add("apps/app-2.0.0.json", b"newer")
    assert device.asks().startswith("sha256:")
    timestamp = device.read("timestamp.json").signed
    assert isinstance(timestamp, Timestamp)
    timestamp.version += 1
    timestamp.snapshot_meta = MetaFile(version=2)
    device.sign("timestamp", "timestamp.json", timestamp, device.repository.signers["timestamp"])
    assert device.asks() == "trust.rollback"


def test_freeze(device: Device) -> None:
    """Always the same state, so that a fix never arrives. The attacker has the network; the state expires in a day."""
    assert device.asks().startswith("sha256:")
    device.later = 2 * DAY
    assert device.asks() == "trust.expired"


def test_mix_and_match(device: Device) -> None:
    """Parts of different states: an older file of a role under the name of the newest. The attacker has the network."""
    version = device.snapshot().meta["builders.json"].version
    device.repository.add("apps/app-2.0.0.json", b"newer")
    newest = device.snapshot().meta["builders.json"].version
    device.files[f"{newest}.builders.json"] = device.files[f"{version}.builders.json"]
    assert device.asks("apps/app-2.0.0.json") == "trust.rollback"


def test_fast_forward(device: Device) -> None:
    """Version numbers so high that nothing genuine ever seems newer. The attacker had the keys of timestamp and
    snapshot; with new keys, which root signs, the device follows the genuine, lower versions again."""
    snapshot = device.snapshot()
    snapshot.version = 2**31 - 2
    device.point_to(snapshot)
    timestamp = device.read("timestamp.json").signed
    timestamp.version = 2**31 - 1
    device.sign("timestamp", "timestamp.json", timestamp, device.repository.signers["timestamp"])
    assert device.asks().startswith("sha256:")  # believed: nothing but numbers has changed
    root = device.read("1.root.json").signed
    assert isinstance(root, Root)
    root.version = 2
    for role in ("timestamp", "snapshot"):
        root.revoke_key(device.repository.signers[role].public_key.keyid, role)
        device.repository.signers[role] = CryptoSigner.generate_ed25519()
        root.add_key(device.repository.signers[role].public_key, role)
    device.sign("root", "2.root.json", root, device.repository.signers["root"])
    device.repository.add("apps/app-2.0.0.json", b"the fix")
    assert device.asks("apps/app-2.0.0.json").startswith("sha256:")
    believed = json.loads((device.folder / "timestamp.json").read_bytes())["signed"]["version"]
    assert believed < 2**31 - 2


@pytest.mark.parametrize("other", [b"APP", b"", b"app!"])
def test_arbitrary_software(device: Device, other: bytes) -> None:
    """Other bytes under a name that is signed. The attacker has the network and the object store."""
    device.targets[APP] = other
    judge = device.judge()
    assert isinstance(judge.answer(Check(APP)), Done)
    answer = judge.answer(Fetch(APP))
    assert isinstance(answer, Failed)
    assert answer.code == "trust.mismatch"


def test_a_name_that_nobody_signed(device: Device) -> None:
    assert device.asks("apps/app-9.0.0.json") == "trust.unknown_target"


def sign_target(device: Device, role: str, path: str, key: CryptoSigner) -> None:
    """The attacker, who has the keys of snapshot and timestamp, adds a target to a role and signs that with `key`."""
    snapshot = device.snapshot()
    version = snapshot.meta[f"{role}.json"].version
    targets = device.read(f"{version}.{role}.json").signed
    assert isinstance(targets, Targets)
    targets.version = version + 1
    targets.targets[path] = TargetFile.from_data(path, b"evil", ["sha256"])
    device.sign(role, f"{targets.version}.{role}.json", targets, key)
    snapshot.meta[f"{role}.json"] = MetaFile(version=targets.version)
    device.point_to(snapshot)


def test_wrong_role(device: Device) -> None:
    """Whoever may release apps, and has all online keys too, signs a model: it is not found, and no key of theirs
    counts for the approvers' role."""
    builders = device.repository.signers["builders"]
    evil = "models/evil-1.0.0.json"
    sign_target(device, "builders", evil, builders)
    assert device.asks(evil) == "trust.unknown_target"
    sign_target(device, "approvers", evil, builders)
    assert device.asks(evil) == "trust.signature"


def test_stolen_timestamp_key(device: Device) -> None:
    """With the keys of timestamp and snapshot, and staging, nothing can be released."""
    keys = device.repository.signers
    for key in (keys["timestamp"], keys["snapshot"], keys["staging"]):
        sign_target(device, "approvers", "models/evil-1.0.0.json", key)
        assert device.asks("models/evil-1.0.0.json") == "trust.signature"
    assert device.asks(APP).startswith("sha256:")  # and what is genuine stays so


def test_a_threshold_is_not_met_by_one_key_twice(device: Device) -> None:
    """Root asks for two signatures; the attacker has one key and signs twice."""
    root = device.read("1.root.json").signed
    assert isinstance(root, Root)
    root.version = 2
    root.roles["timestamp"].threshold = 2
    root.add_key(CryptoSigner.generate_ed25519().public_key, "timestamp")
    device.sign("root", "2.root.json", root, device.repository.signers["root"])
    raw = json.loads(device.files["timestamp.json"])
    raw["signatures"] *= 2
    device.files["timestamp.json"] = json.dumps(raw).encode()
    assert device.asks() in ("trust.signature", "trust.metadata")


def test_a_root_that_the_old_root_did_not_sign(device: Device) -> None:
    root = device.read("1.root.json").signed
    assert isinstance(root, Root)
    root.version = 2
    evil = CryptoSigner.generate_ed25519()
    root.add_key(evil.public_key, "root")
    device.sign("root", "2.root.json", root, evil)
    assert device.asks() == "trust.signature"


def test_expiry_is_judged_by_the_corrected_time(device: Device) -> None:
    """A device whose clock says 1970 does not take old metadata for good (its floor is later: `agent.clock`)."""
    device.repository.lifetime = datetime.timedelta(days=-3)
    device.repository.publish()
    assert device.asks() == "trust.expired"


class Endless(FakeControlPlane):
    """A mirror whose files never end."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    def metadata(self, url: str) -> Iterator[bytes]:
        """See `ControlPlane.metadata`."""
        if "root" in url:
            yield from super().metadata(url)
        while True:
            self.sent += 1 << 16
            yield b" " * (1 << 16)


def test_oversized_metadata(device: Device, tmp_path: Path) -> None:
    """No more is taken in than the limit of the role, whatever is sent."""
    paths = Paths(tmp_path / "agent")
    paths.trusted_root.parent.mkdir(parents=True)
    paths.trusted_root.write_text(device.repository.root)
    mirror = Endless()
    trust = Trust(mirror, paths, Attention(), twin=False)
    with pytest.raises(LinesideError) as refused:
        trust.refresh()
    trust.close()
    assert refused.value.code == "trust.metadata"
    assert "longer than" in refused.value.message
    assert mirror.sent < 1 << 20
