"""`lineside agent join` with and without a token, against a real control plane."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lineside.agent import crash
from lineside.agent.keys.opening import open_keys
from lineside.agent.link.https import Link
from lineside.agent.link.instance import Instance
from lineside.agent.link.join import JoinOptions, join, key_fingerprint
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError, RemoteError
from tests.eventually import PATIENCE, eventually
from tests.server.processes import ControlPlaneProcess


def new_name(kind: str) -> str:
    return f"{kind}-{time.time_ns()}"


def options(plane: ControlPlaneProcess, name: str, **changes: Any) -> JoinOptions:
    return JoinOptions(url=plane.found["device_url"], ca_sha256=plane.found["ca_sha256"], name=name, **changes)


def agent(root: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lineside.agent", *words, "--root", str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def is_whole(paths: Paths) -> bool:
    key = load_pem_private_key(paths.key.read_bytes(), None)
    return key.public_key() == x509.load_pem_x509_certificate(paths.certificate.read_bytes()).public_key()


def test_without_a_token_it_waits_and_goes_on_once_it_is_accepted(
    real_plane: ControlPlaneProcess, tmp_path: Path
) -> None:
    name, root = new_name("wait"), tmp_path / "device"
    url, ca = real_plane.found["device_url"], real_plane.found["ca_sha256"]
    words = ("join", url, "--ca-sha256", ca, "--name", name, "--json")
    refused = agent(root, *words)
    errors = "".join(refused.communicate(timeout=PATIENCE))
    assert refused.returncode != 0
    said = agent(root, "fingerprint", "--json")
    fingerprint = msgspec.json.decode(said.communicate(timeout=PATIENCE)[0])["fingerprint"]
    assert "join.pending" in errors
    assert f"lineside devices accept {name} --fingerprint {fingerprint}" in errors
    assert not Paths(root).join.exists()
    waiting = agent(root, *words, "--wait")
    try:
        assert waiting.stderr is not None
        assert fingerprint in waiting.stderr.readline()
        assert real_plane.get(f"/devices/{name}")["fingerprint"] == fingerprint
        real_plane.post(f"/devices/{name}/accept", {"fingerprint": fingerprint})
        out, _ = waiting.communicate(timeout=PATIENCE)
    finally:
        waiting.kill()
    assert msgspec.json.decode(out)["device"] == name
    assert is_whole(Paths(root))


def test_a_preauthorised_key_needs_no_token(real_plane: ControlPlaneProcess, tmp_path: Path) -> None:
    name, root = new_name("known"), tmp_path / "device"
    out, _ = agent(root, "fingerprint").communicate(timeout=PATIENCE)
    assert Paths(root).key.stat().st_mode & 0o777 == 0o600
    real_plane.post("/preauthorised", {"fingerprint": out.strip(), "name": name})
    join(options(real_plane, name), Paths(root))
    assert is_whole(Paths(root))
    assert real_plane.get(f"/devices/{name}")["state"] == "accepted"


def test_labels_of_the_device_come_along(real_plane: ControlPlaneProcess, tmp_path: Path) -> None:
    name, token = new_name("labelled"), real_plane.post("/devices/tokens", {"group": "labelled"})["token"]
    with pytest.raises(LinesideError, match="os is a fact"):
        join(options(real_plane, name, token=token, labels=("os=x",)), Paths(tmp_path))
    join(options(real_plane, name, token=token, labels=("site=berlin", "line=3")), Paths(tmp_path))
    device = real_plane.get(f"/devices/{name}")
    assert device["labels"] == [
        {"key": "line", "value": "3", "person": False},
        {"key": "site", "value": "berlin", "person": False},
    ]
    assert device["facts"]["os"] == "linux"
    assert int(device["facts"]["memory_mb"]) > 0
    assert [group["name"] for group in real_plane.get("/groups")].count("labelled") == 1


def test_joining_again_by_force_keeps_the_key_or_makes_a_new_one_when_it_is_spent(
    real_plane: ControlPlaneProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, first, second = Paths(tmp_path / "device"), new_name("first"), new_name("second")
    join(options(real_plane, first, token=real_plane.post("/devices/tokens", {})["token"]), paths)
    before = key_fingerprint(open_keys(paths))
    join(options(real_plane, first, force=True), paths)
    assert key_fingerprint(open_keys(paths)) == before
    token = real_plane.post("/devices/tokens", {})["token"]
    with pytest.raises(LinesideError):
        join(options(real_plane, second, token=token), paths)

    def cut(name: str) -> None:
        if name == "renewal.key_promoted":
            raise KeyboardInterrupt  # the power goes between the key and its certificate

    monkeypatch.setattr(crash, "point", cut)
    with pytest.raises(KeyboardInterrupt):
        join(options(real_plane, second, token=token, force=True), paths)
    monkeypatch.undo()
    state = join(options(real_plane, second, token=token, force=True), paths)
    assert is_whole(paths)
    assert key_fingerprint(open_keys(paths)) != before
    link = Link(state.url, state.device, open_keys(paths), paths.ca, instance=Instance(paths.instance))
    assert link.desired(None) is not None
    link.close()


def test_a_copied_disk_is_noticed(real_plane: ControlPlaneProcess, tmp_path: Path) -> None:
    import shutil

    name, root, copy = new_name("cloned"), tmp_path / "device", tmp_path / "copy"
    state = join(options(real_plane, name, token=real_plane.post("/devices/tokens", {})["token"]), Paths(root))

    def start(paths: Paths) -> Link:
        return Link(state.url, name, open_keys(paths), paths.ca, instance=Instance(paths.instance))

    first = start(Paths(root))
    first.desired(None)
    shutil.copytree(root, copy)
    second = start(Paths(copy))
    try:
        second.desired(None)
        assert real_plane.get(f"/devices/{name}")["state"] == "accepted"
        restarted = start(Paths(root))
        restarted.desired(None)  # it may still ask
        assert real_plane.get(f"/devices/{name}")["state"] == "quarantined"
        for link in (second, restarted):
            with pytest.raises(RemoteError) as refused, link.artifact("sha256:" + "0" * 64, 0):
                pass
            assert refused.value.code == "auth.device_quarantined"
        restarted.close()
    finally:
        first.close()
        second.close()


@pytest.mark.slow
def test_a_running_agent_renews_and_reaches_the_broker_with_its_new_certificate(tmp_path: Path) -> None:
    """Certificates of nine seconds: due after six."""
    ports = ("--port", "0", "--device-port", "0", "--mqtt-port", "0")
    arguments = (*ports, "--certificate-days", "0.0001", "--poll-seconds", "1")
    with ControlPlaneProcess(tmp_path / "plane", *arguments) as plane:
        name, root = new_name("short"), tmp_path / "device"
        join(options(plane, name, token=plane.post("/devices/tokens", {})["token"]), Paths(root))
        before = plane.get(f"/devices/{name}")["fingerprint"]
        running = agent(root, "run")
        try:
            eventually(lambda: plane.get(f"/devices/{name}")["fingerprint"] != before)
            eventually(lambda: is_whole(Paths(root)))

            def broker_is_reached() -> bool:
                inquiry = plane.post(f"/devices/{name}/inquiries", {"kind": "diagnose"})["id"]
                eventually(lambda: plane.get(f"/devices/{name}/inquiries/{inquiry}")["done"])
                parts = plane.get(f"/devices/{name}/inquiries/{inquiry}")["parts"]
                found = {check["name"]: check["ok"] for part in parts for check in part.get("checks", ())}
                return bool(found["broker"])

            eventually(broker_is_reached)
            assert plane.get(f"/devices/{name}")["state"] == "accepted"
        finally:
            running.terminate()
            running.communicate(timeout=PATIENCE)
