"""The control plane as a process: how it starts, what it refuses, and that nothing outlives it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
from pathlib import Path

import httpx
import msgspec
import pytest

from lineside.contract.device import JoinAnswer, JoinRequest
from lineside.contract.errors import LinesideError
from lineside.server.ports import listen
from lineside.server.settings import Settings
from lineside.server.testing import free_socket, until
from lineside.server.testing_device import make_csr, make_key
from lineside.server.worker import worker_command
from tests.eventually import PATIENCE
from tests.server.processes import ControlPlaneProcess, alive, worker

FREE = ("--port", "0", "--device-port", "0", "--mqtt-port", "0")


def test_it_becomes_ready_and_ends_clean(tmp_path: Path) -> None:
    with ControlPlaneProcess(tmp_path / "r", *FREE, worker=worker()) as lineside:
        pid = lineside.worker_pid()
        assert lineside.found["pid"] == lineside.process.pid
        assert [event["kind"] for event in lineside.get("/events")["events"]] == ["user.link", "user.created"]
        assert lineside.end(signal.SIGTERM) == 0
        assert not alive(pid)
    assert not (tmp_path / "r" / "server.json").exists()
    log = [json.loads(line) for line in (tmp_path / "r" / "server.log").read_text().splitlines()]
    *first, last = [line["event"] for line in log]
    assert (set(first), len(first), last) == ({"worker started", "ready"}, 2, "stopping")


def test_a_device_that_keeps_its_connection_and_sleeps_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    """TLS asks the other end for a farewell, for half a minute."""
    with ControlPlaneProcess(tmp_path / "r", *FREE) as lineside:
        trusted = ssl.create_default_context(cafile=str(tmp_path / "r" / "keys" / "ca.pem"))
        with httpx.Client(verify=trusted, timeout=PATIENCE) as device:
            assert device.get(f"{lineside.found['device_url']}/device/v1/ca").is_success
            assert lineside.end(signal.SIGTERM) == 0


def test_keys_are_their_owners_only(tmp_path: Path) -> None:
    with ControlPlaneProcess(tmp_path / "r", *FREE):
        keys = tmp_path / "r" / "keys"
        assert stat.S_IMODE(keys.stat().st_mode) == 0o700
        # the revocation list is public, and may be on its way to its name just now
        kept = [file for file in keys.iterdir() if not file.name.startswith(".ca.crl.")]
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in kept}
    assert {name for name, mode in modes.items() if mode != 0o600} <= {"ca.pem", "ca.crl"}
    assert {"ca.key", "server.pem", "access-token.key", "local.token"} <= modes.keys()


def test_a_device_joins_over_tls_of_the_ca_it_was_told(tmp_path: Path) -> None:
    with ControlPlaneProcess(tmp_path / "r", *FREE) as lineside:
        token = lineside.post("/devices/tokens", {"group": "default"})
        device_url = token["url"]
        pem = httpx.get(f"{device_url}/device/v1/ca", verify=False).text
        assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == token["ca_sha256"]
        trusted = ssl.create_default_context(cadata=pem)
        request = JoinRequest(token=token["token"], name="cam-1", csr=make_csr(make_key(), "cam-1"))
        for host in ("127.0.0.1", "localhost"):
            url = device_url.replace("127.0.0.1", host)
            assert httpx.get(f"{url}/device/v1/ca", verify=trusted).status_code == 200
        joined = httpx.post(f"{device_url}/device/v1/join", content=msgspec.json.encode(request), verify=trusted)
        answer = msgspec.json.decode(joined.content, type=JoinAnswer)
        assert (answer.mqtt_host, answer.mqtt_port) == ("127.0.0.1", lineside.found["mqtt_port"])
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{device_url}/device/v1/ca")


def test_one_root_one_process(tmp_path: Path) -> None:
    with ControlPlaneProcess(tmp_path / "r", *FREE) as lineside:
        status, words = ControlPlaneProcess(tmp_path / "r", *FREE).refused()
        assert (status, words.splitlines()) == (
            1,
            [
                f"Another Lineside process (pid {lineside.process.pid}) uses the root {tmp_path / 'r'}.",
                "Stop it, or choose another: --root DIR",
            ],
        )
        assert (tmp_path / "r" / "server.json").exists()


def test_a_busy_port_that_was_asked_for(tmp_path: Path) -> None:
    with free_socket() as taken:
        taken.listen()
        busy = taken.getsockname()[1]
        status, words = ControlPlaneProcess(tmp_path / "r", "--device-port", str(busy)).refused()
    assert status == 1
    first, second = words.splitlines()
    assert first == f"Port {busy} is in use by another program."
    assert second.startswith("Choose another: lineside up --device-port ")
    assert int(second.split()[-1]) > busy


def test_the_first_start_takes_the_next_free_port_and_keeps_it(tmp_path: Path) -> None:
    with free_socket() as taken:
        taken.listen()
        busy = taken.getsockname()[1]
        settings = Settings(port=busy, device_port=0, mqtt_port=0)
        listeners = listen(tmp_path, settings, ())
        chosen = listeners.people.getsockname()[1]
        listeners.close()
    assert chosen > busy
    with socket.create_server(("127.0.0.1", chosen)), pytest.raises(LinesideError) as refused:
        listen(tmp_path, settings, ())
    assert (refused.value.code, refused.value.params["port"]) == ("start.port_busy", str(chosen))
    listeners = listen(tmp_path, settings, ())
    assert listeners.people.getsockname()[1] == chosen
    listeners.close()


def test_a_root_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, words = ControlPlaneProcess(tmp_path / "file" / "r", *FREE).refused()
    assert (status, words.splitlines()[0]) == (1, f"The root {tmp_path / 'file' / 'r'} cannot be written.")


def test_a_root_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir(mode=0o500)
    # The superuser may write anywhere, unless that very capability is taken away.
    prefix = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
    if prefix and shutil.which(prefix[0]) is None:
        pytest.skip("setpriv is not installed")
    status, words = ControlPlaneProcess(tmp_path / "r", *FREE, prefix=prefix).refused()
    assert (status, words.splitlines()) == (
        1,
        [f"The root {tmp_path / 'r'} cannot be written.", "Choose another: --root DIR"],
    )


def test_a_setting_that_is_none(tmp_path: Path) -> None:
    status, words = ControlPlaneProcess(tmp_path / "r", "--poll-seconds", "soon").refused()
    assert status == 1
    assert words.startswith("A setting is not valid: ")
    assert "poll_seconds" in words


def test_after_kill_9_ports_and_data_are_as_they_were(tmp_path: Path) -> None:
    with ControlPlaneProcess(tmp_path / "r", *FREE, worker=worker()) as lineside:
        before, pid = lineside.found, lineside.worker_pid()
        token = lineside.post("/devices/tokens", {"group": "line-a"})
        lineside.end(signal.SIGKILL)
        until(lambda: not alive(pid))  # its standard input ended
    with ControlPlaneProcess(tmp_path / "r") as again:
        assert {**again.found, "pid": 0} == {**before, "pid": 0}
        assert again.get("/events?kind=token")["total"] == 1
        assert again.get("/audit/verify")["findings"] == []
        assert again.found["ca_sha256"] == token["ca_sha256"]


def test_a_worker_that_dies_is_started_again(tmp_path: Path) -> None:
    with ControlPlaneProcess(tmp_path / "r", *FREE, worker=worker("short")) as lineside:
        first = lineside.worker_pid()
        until(lambda: lineside.worker_pid() != first)
        assert lineside.end(signal.SIGINT) == 0


def test_a_second_ctrl_c_ends_even_a_stubborn_worker(tmp_path: Path) -> None:
    with ControlPlaneProcess(tmp_path / "r", *FREE, worker=worker("stubborn")) as lineside:
        pid = lineside.worker_pid()
        lineside.process.send_signal(signal.SIGINT)
        log = tmp_path / "r" / "server.log"
        until(lambda: "stopping" in log.read_text())
        lineside.process.send_signal(signal.SIGINT)  # at once: the same Ctrl-C, told twice
        with pytest.raises(subprocess.TimeoutExpired):
            lineside.process.wait(0.6)
        assert lineside.end(signal.SIGINT) == 130
        until(lambda: not alive(pid))


def test_without_the_extra_there_is_no_worker_and_the_overview_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker_command("off") is None
    assert worker_command("auto") is not None
    monkeypatch.setitem(__import__("sys").modules, "dbos", None)  # as find_spec sees what is not installed
    with pytest.raises(LinesideError) as refused:
        worker_command("auto")
    assert (refused.value.code, refused.value.next) == ("start.extra_missing", "pip install 'lineside[train]'")
