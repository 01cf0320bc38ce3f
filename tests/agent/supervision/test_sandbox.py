"""Components in a bubblewrap sandbox, where it is installed and the kernel allows one."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from lineside.agent.supervision.walls import sandbox
from lineside.contract.deployment import RunWith
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState
from tests.agent.supervision.stage import SLEEPER, Stage, step


@pytest.fixture(scope="module")
def usable(tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        folder = tmp_path_factory.mktemp("try")
        sandbox.wrapper("app", folder, folder, ())
    except LinesideError as error:
        pytest.skip(error.message)


@pytest.mark.usefixtures("usable")
def test_only_the_work_directory_can_be_written_and_tmp_is_its_own(stage: Stage, tmp_path: Path) -> None:
    script = (
        f"echo mine > file && echo own; echo x 2>/dev/null > {tmp_path}/outside || echo closed;"
        "echo x 2>/dev/null > /usr/lineside || echo closed;"
        'test "$(ls /tmp | wc -l)" -le 1 && echo empty;'
        "touch /tmp/a && echo private; grep CapEff /proc/self/status;"
        f"test -w /dev/null && echo devices; {SLEEPER}"
    )
    stage.ready(sandbox=True, run=script)
    stage.wait(lambda: "devices" in stage.log())
    assert stage.log().split() == ["own", "closed", "closed", "empty", "private", "CapEff:", "0" * 16, "devices"]
    assert (tmp_path / "work" / "app" / "file").read_text() == "mine\n"
    assert not Path("/tmp/a").exists()


@pytest.mark.usefixtures("usable")
def test_the_network_and_the_agents_socket_are_kept(stage: Stage, tmp_path: Path) -> None:
    program = "import socket, sys; s = socket.socket(*map(int, sys.argv[1:3])); s.connect(eval(sys.argv[3])); s.close()"
    path = tmp_path / "ipc.socket"
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as net, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(path))
        local.listen()

        def accept(listening: socket.socket) -> None:
            listening.accept()[0].close()
            heard.append(listening.family)

        threads = [threading.Thread(target=accept, args=(one,), daemon=True) for one in (net, local)]
        for thread in threads:
            thread.start()
        address = f"('127.0.0.1', {net.getsockname()[1]})"
        run = (
            f'python3 -c "{program}" 2 1 "{address}" && python3 -c "{program}" 1 1 "\'{path}\'" && echo met; {SLEEPER}'
        )
        stage.ready(sandbox=True, run=run)
        stage.wait(lambda: "met" in stage.log())
        for thread in threads:
            thread.join()
    assert len(heard) == 2


@pytest.mark.usefixtures("usable")
def test_a_sandboxed_component_is_asked_to_end_and_its_status_is_seen(stage: Stage) -> None:
    service = stage.ready(
        sandbox=True, run="trap 'echo terminated; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    )
    stage.wait(lambda: "up" in stage.log())
    stage.supervisor.stop("app")
    assert stage.log().endswith("terminated\n")
    service = stage.start("bad", sandbox=True, run="exit 7")
    stage.wait(lambda: service.error)
    assert service.error is not None
    assert "exit status 7" in service.error.message


@pytest.mark.usefixtures("usable")
def test_a_sandbox_for_another_user(stage: Stage) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    root = Path(tempfile.mkdtemp(prefix="lineside-"))
    root.chmod(0o755)
    found = Stage(root)
    try:
        service = found.start(sandbox=True, run_with=RunWith(posix_user="nobody"), run=f"id -u; touch mine; {SLEEPER}")
        found.wait(lambda: "65534" in found.log() or service.error)
        if service.error is not None:
            pytest.skip(f"no sandbox for an ordinary user here: {found.log()}")
        found.wait((root / "work" / "app" / "mine").exists)
        found.close()
    finally:
        shutil.rmtree(root)


@pytest.mark.usefixtures("usable")
def test_a_step_that_requires_privilege_does_not_fit_in_a_sandbox(stage: Stage) -> None:
    service = stage.start(sandbox=True, run=SLEEPER, install=step("true", requires_privilege=True))
    stage.wait(lambda: service.state is ComponentState.BROKEN)
    assert service.error is not None
    assert service.error.code == "component.sandbox_privilege"


def test_without_bubblewrap_a_sandbox_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *names, **more: None)
    service = stage.start(sandbox=True)
    stage.wait(lambda: service.state is ComponentState.BROKEN)
    assert service.error is not None
    assert service.error.code == "component.sandbox_missing"
    assert stage.processes("app") == []


def test_bubblewrap_that_may_not_build_one_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *names, **more: str(program))
    with pytest.raises(LinesideError, match="No permissions"):
        sandbox.wrapper("app", tmp_path, tmp_path, ())


def test_it_is_asked_for_in_the_configuration() -> None:
    assert sandbox.wanted({"lineside.sandbox": True})
    assert not sandbox.wanted({"lineside.sandbox": "true"})
    assert not sandbox.wanted({})
