"""Offline bundles on a real device: taken in without its control plane, believed through signatures alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from securesystemslib.signer import CryptoSigner

from lineside.contract.bundle import artifact_path
from lineside.contract.desired import DesiredComponent
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import archive, artifact, recipe
from tests.agent.control_plane import ControlPlane
from tests.agent.local.bundles import BundleMaker
from tests.agent.local.devices import Device
from tests.eventually import PATIENCE, eventually

AWAY = 1_000_000


@pytest.fixture
def device(agent: AgentProcess, capsys: pytest.CaptureFixture[str]) -> Device:
    """Joined, not running."""
    return Device(agent, capsys)


@pytest.fixture
def maker(plane: ControlPlane, tmp_path: Path) -> BundleMaker:
    """Makes bundles of what the control plane has."""
    return BundleMaker(plane, tmp_path)


def release(plane: ControlPlane, version: str, name: str = "app") -> DesiredComponent:
    """A component with an artifact of its own."""
    code = plane.add_blob(archive({"word": version.encode()}))
    run = "cat {artifacts:decompressedPath}/code/word; exec sleep 1000"
    return plane.release(recipe(name, version, artifacts=[artifact("code.zip", code, Unarchive="ZIP")], Run=run))


def test_a_stick_that_lay_a_month_updates_a_device_whose_control_plane_is_away(
    plane: ControlPlane, device: Device, maker: BundleMaker
) -> None:
    revision = plane.want(release(plane, "1.0.0"))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    plane.overloaded = AWAY
    newer = release(plane, "2.0.0")
    maker.age("timestamp", "snapshot")
    stick = maker.make(newer, revision=revision + 1)
    served = plane.bytes_served.total()
    done = device.command("import", stick, "--wait", PATIENCE)
    assert (done["status"], done["kind"], done["what"]) == ("SUCCEEDED", "import", f"stick (revision {revision + 1})")
    assert device.versions() == {"app": "2.0.0"}
    assert plane.bytes_served.total() == served
    assert device.agent.status().good_revision == revision + 1
    eventually(lambda: not list((device.agent.paths.root / "local" / "spool").iterdir()))
    plane.want(newer)
    plane.tuf.publish()
    plane.overloaded = 0
    report = plane.wait_report(revision + 1, Phase.HEALTHY)
    assert {one.name: one.version for one in report.running} == {"app": "2.0.0"}


def test_a_bundle_is_taken_at_the_next_start_too(plane: ControlPlane, device: Device, maker: BundleMaker) -> None:
    plane.overloaded = AWAY  # it has joined, and has never heard anything since
    stick = maker.make(release(plane, "1.0.0"), revision=1)
    assert device.command("import", stick)["agent_running"] is False
    stick.unlink()
    device.agent.start()
    assert device.said("1.0.0")
    eventually(lambda: device.versions() == {"app": "1.0.0"})


def test_a_bad_version_on_a_stick_is_rolled_back(plane: ControlPlane, device: Device, maker: BundleMaker) -> None:
    revision = plane.want(release(plane, "1.0.0"))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    plane.overloaded = AWAY
    stick = maker.make(plane.release(recipe("app", "2.0.0", Run="exit 3", Probe="exit 1")), revision=revision + 1)
    failed = device.command("import", stick, "--wait", PATIENCE, code=1)
    assert failed["error"]["code"] == "component.broken"
    eventually(lambda: len(device.agent.children()) == 1)
    assert device.versions() == {"app": "1.0.0"}


def test_a_bundle_for_a_group_lies_on_top_until_the_control_plane_decides(
    plane: ControlPlane, device: Device, maker: BundleMaker
) -> None:
    revision = plane.want(release(plane, "1.0.0"))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    stick = maker.make(release(plane, "1.0.0", "tool"), release(plane, "1.1.0"), group="line-4")
    assert device.command("import", stick, "--wait", PATIENCE)["what"] == "stick (group line-4)"
    assert device.versions() == {"app": "1.1.0", "tool": "1.0.0"}
    revision = plane.want(release(plane, "2.0.0"))
    plane.wait_report(revision, Phase.HEALTHY)
    assert device.versions() == {"app": "2.0.0", "tool": "1.0.0"}


def replaced(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    """A change of one entry of a bundle."""

    def change(entries: dict[str, bytes]) -> None:
        assert name in entries
        entries[name] = data

    return change


def other_configuration(entries: dict[str, bytes]) -> None:
    """Somebody writes something else into the document of a signed bundle."""
    document = msgspec.json.decode(entries["bundle.json"])
    document["desired"]["components"][0]["configuration_update"]["merge"] = {"word": "$(reboot)"}
    entries["bundle.json"] = msgspec.json.encode(document)


def without_signature(entries: dict[str, bytes]) -> None:
    """Somebody leaves the signature out."""
    del entries["bundle.sig"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (other_configuration, "bundle.signature"),
        (without_signature, "bundle.signature"),
        (replaced("bundle.sig", b"[]"), "bundle.signature"),
        (replaced("tuf/timestamp.json", b"{}"), "bundle.invalid"),
        (replaced("targets/apps/app-2.0.0.json", b"{}"), "trust.recipe_mismatch"),
    ],
    ids=["document", "no-signature", "no-signatures", "timestamp", "recipe"],
)
def test_a_bundle_that_was_tampered_with_changes_nothing(
    plane: ControlPlane,
    device: Device,
    maker: BundleMaker,
    change: Callable[[dict[str, bytes]], None],
    code: str,
) -> None:
    revision = plane.want(release(plane, "1.0.0"))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    plane.overloaded = AWAY
    stick = maker.make(release(plane, "2.0.0"), revision=revision + 1, change=change)
    failed = device.command("import", stick, "--wait", PATIENCE, code=1)
    assert (failed["status"], failed["error"]["code"]) == ("FAILED", code)
    assert device.versions() == {"app": "1.0.0"}
    assert len(device.agent.children()) == 1


def test_an_artifact_that_was_tampered_with_is_refused(plane: ControlPlane, device: Device, maker: BundleMaker) -> None:
    device.agent.start()
    wanted = release(plane, "1.0.0")
    (digest,) = plane.blobs
    change = replaced(artifact_path(digest), b"x" * len(plane.blobs[digest]))
    failed = device.command("import", maker.make(wanted, revision=1, change=change), "--wait", PATIENCE, code=1)
    assert failed["error"]["code"] == "artifact.digest_mismatch"


def test_a_bundle_signed_by_somebody_else_is_refused(plane: ControlPlane, device: Device, maker: BundleMaker) -> None:
    device.agent.start()
    stick = maker.make(release(plane, "1.0.0"), revision=1, key=CryptoSigner.generate_ed25519())
    failed = device.command("import", stick, "--wait", PATIENCE, code=1)
    assert failed["error"]["code"] == "bundle.signature"


def test_signatures_of_approvers_do_expire(plane: ControlPlane, device: Device, maker: BundleMaker) -> None:
    device.agent.start()
    wanted = release(plane, "1.0.0")
    maker.age("builders", "timestamp", "snapshot")
    failed = device.command("import", maker.make(wanted, revision=1), "--wait", PATIENCE, code=1)
    assert failed["error"]["code"] == "trust.expired"


def test_signatures_that_expire_before_the_timestamp_does_are_good_until_then(
    plane: ControlPlane, device: Device, maker: BundleMaker
) -> None:
    device.agent.start()
    wanted = release(plane, "1.0.0")
    maker.age("targets", "builders", days=-0.5)
    assert device.command("import", maker.make(wanted, revision=1), "--wait", PATIENCE)["status"] == "SUCCEEDED"


def test_a_bundle_made_before_what_the_device_saw_last_is_refused(
    plane: ControlPlane, device: Device, maker: BundleMaker
) -> None:
    stick = maker.make(release(plane, "1.0.0"), group="line-4")
    revision = plane.want(release(plane, "2.0.0"))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    failed = device.command("import", stick, "--wait", PATIENCE, code=1)
    assert failed["error"]["code"] == "trust.rollback"
    assert device.versions() == {"app": "2.0.0"}


def test_what_is_for_another_device_or_older_than_known_is_refused(
    plane: ControlPlane, device: Device, maker: BundleMaker
) -> None:
    app = release(plane, "1.0.0")
    other = device.command("import", maker.make(app, revision=1, device="cell-2"), code=1)
    assert other["error"]["code"] == "bundle.other_device"
    plane.want(app)
    revision = plane.want(release(plane, "2.0.0"))
    device.agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    failed = device.command("import", maker.make(app, revision=1), "--wait", PATIENCE, code=1)
    assert failed["error"]["code"] == "bundle.superseded"
    assert device.versions() == {"app": "2.0.0"}
