"""Components that run as another user; needs root, as the agent that does it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lineside.agent.supervision.walls import users
from lineside.agent.supervision.walls.confinement import Identity
from lineside.contract.deployment import RunWith
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState
from tests.agent.supervision.stage import SLEEPER, Stage, step

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@pytest.fixture
def open_stage() -> Iterator[Stage]:
    """A root that other users may enter: a test's own directory is closed to them."""
    root = Path(tempfile.mkdtemp(prefix="lineside-"))
    root.chmod(0o755)
    found = Stage(root)
    try:
        yield found
        found.close()
    finally:
        shutil.rmtree(root)


@needs_root
def test_a_component_runs_as_another_user_in_a_directory_of_its_own_and_logs_all_the_same(open_stage: Stage) -> None:
    work = open_stage.root / "work" / "app"
    (work / "old").mkdir(parents=True)
    (work / "old" / "file").touch()
    outside = open_stage.root / "outside"
    outside.touch()
    (work / "link").symlink_to(outside)
    os.link(outside, work / "second-name")
    told = 'echo "$(id -u):$(id -g) $USER $(pwd)"; touch mine old/mine && echo written'
    privileges = "grep NoNewPrivs /proc/self/status; grep CapEff /proc/self/status"
    service = open_stage.ready(run_with=RunWith(posix_user="nobody"), run=f"{told}; {privileges}; {SLEEPER}")
    open_stage.wait(lambda: "CapEff" in open_stage.log())
    assert open_stage.log().splitlines() == [
        f"65534:65534 nobody {work}",
        "written",
        "NoNewPrivs:\t1",
        "CapEff:\t0000000000000000",
    ]
    assert (work / "old" / "file").stat().st_uid == 65534
    assert outside.stat().st_uid == 0
    assert (open_stage.root / "logs" / "app.log").stat().st_uid == 0
    assert service.state is ComponentState.RUNNING


@needs_root
def test_the_group_of_run_with_and_a_way_to_print_by_name(open_stage: Stage) -> None:
    open_stage.ready(run_with=RunWith(posix_user="nobody:daemon"), run=f"id -g > /dev/stdout; {SLEEPER}")
    open_stage.wait(lambda: open_stage.log() == "1\n")


@needs_root
def test_a_step_that_requires_privilege_runs_as_the_agent(open_stage: Stage) -> None:
    open_stage.ready(
        run_with=RunWith(posix_user="nobody"),
        install=step("id -u", requires_privilege=True),
        run=f"id -u; {SLEEPER}",
    )
    open_stage.wait(lambda: open_stage.log() == "0\n65534\n")


@needs_root
def test_a_component_of_another_user_dies_with_the_agent(open_stage: Stage) -> None:
    launch = open_stage.launch(run_with=RunWith(posix_user="nobody"))
    script = (
        "import os, signal, sys\n"
        "from lineside.agent.supervision.walls.surroundings import Surroundings\n"
        "from lineside.agent.supervision.launch import Launch\n"
        "import msgspec\n"
        "launch = msgspec.json.decode(sys.stdin.buffer.read(), type=Launch, dec_hook=lambda kind, text: kind(text))\n"
        "around = Surroundings(launch, None)\n"
        "around.prepare()\n"
        "child = around.spawn(launch.lifecycle['run'])\n"
        "while open(f'/proc/{child.pid}/comm').read() != 'sleep\\n': pass\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    given = msgspec.json.encode(launch, enc_hook=str)
    done = subprocess.run([sys.executable, "-c", script], input=given, check=False)
    assert done.returncode == -9
    open_stage.wait(lambda: open_stage.processes() == [])


@pytest.mark.parametrize("wanted", ["no-such-user", "nobody:no-such-group", ":no-such-group"])
def test_a_user_that_does_not_exist_is_named_and_breaks_the_component(stage: Stage, wanted: str) -> None:
    service = stage.start(run_with=RunWith(posix_user=wanted), run=SLEEPER, recover="echo recovering")
    stage.wait(lambda: service.state is ComponentState.BROKEN)
    assert service.error is not None
    assert service.error.code == "component.user_unknown"
    assert wanted in service.error.message
    assert service.restarts == 0
    assert stage.log() == ""  # nothing of it may run as the agent instead


def test_an_agent_that_is_not_root_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    with pytest.raises(LinesideError, match=r"component\.user_needs_root") as caught:
        users.identity("app", "nobody")
    assert "Run the agent as root" in caught.value.next
    assert users.identity("app", "1000:1000") is None  # who it is already


def test_numbers_need_no_account() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    assert users.identity("app", "4711:4712") == Identity(uid=4711, gid=4712, groups=(4712,), name="4711", home="/")
    assert users.identity("app", None) is None
    with pytest.raises(LinesideError, match=r"component\.user_unknown"):
        users.identity("app", "4711")  # and no group
