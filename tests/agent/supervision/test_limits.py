"""Limits and cgroups, in those of this machine where it lets us, and by a made-up tree for what it does not have."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.agent.supervision.service import Service
from lineside.agent.supervision.walls import cgroups
from lineside.agent.supervision.walls.cgroups import find_corner
from lineside.agent.supervision.walls.groups_v1 import CornerV1
from lineside.agent.supervision.walls.groups_v2 import CornerV2
from lineside.contract.deployment import ResourceLimits, RunWith
from lineside.contract.reported import ComponentState
from tests.agent.supervision import groups
from tests.agent.supervision.stage import SLEEPER, Stage, step

HUNGRY = f"exec {sys.executable} -c 'x = [bytearray(1 << 20) for _ in range(300)]; import time; time.sleep(1000)'"
TAIL = "exec tail -n 1 /dev/zero"  # reads until its memory is full
ESCAPE = "env -i setsid sleep 1000 >/dev/null 2>&1 &"  # another session, another group, nothing that says whose it is


@pytest.fixture(params=["v1", "v2"])
def caged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    corner = groups.real_v1(tmp_path) if request.param == "v1" else groups.real_v2(tmp_path)
    if corner is None:
        pytest.skip(f"no cgroup {request.param} may be made here")
    stage = Stage(tmp_path, corner=corner)
    try:
        yield stage
        stage.close()
    finally:
        groups.clean(corner, tmp_path)
    assert not any(path.exists() for path in corners(corner))


def corners(corner: CornerV1 | CornerV2) -> list[Path]:
    return list(corner._directories.values()) if isinstance(corner, CornerV1) else [corner._directory]


def group_directories(caged: Stage) -> list[Path]:
    """The directories by which a component is frozen."""
    corner = caged.supervisor._corner
    assert isinstance(corner, CornerV1 | CornerV2)
    names = ("freezer.state", "cgroup.events")
    return [path / "app" for path in corners(corner) if any((path / "app" / name).exists() for name in names)]


def with_limits(memory_mib: float | None = None, cpus: float | None = None) -> RunWith:
    return RunWith(system_resource_limits=groups.limits(memory_mib, cpus))


def test_what_leaves_session_group_and_environment_behind_ends_with_its_component(caged: Stage) -> None:
    service = caged.ready(run=f"{ESCAPE} {SLEEPER}")
    pids = caged.wait(lambda: escaped(caged, service))
    caged.supervisor.stop("app")
    assert gone(pids)


def test_a_component_is_frozen_and_thawed(caged: Stage) -> None:
    count = caged.root / "count"
    caged.ready(run=f"while :; do echo >> {count}; sleep 0.01; done")
    caged.wait(count.exists)
    caged.supervisor.by_hand.pause("app")
    (directory,) = caged.wait(lambda: [path for path in group_directories(caged) if frozen(path)])
    size = count.stat().st_size
    assert frozen(directory)
    assert count.stat().st_size == size
    caged.supervisor.by_hand.resume("app")
    caged.wait(lambda: count.stat().st_size > size)
    caged.supervisor.by_hand.pause("app")
    caged.supervisor.stop("app")  # also while it is frozen


def frozen(directory: Path) -> bool:
    """Whether the kernel says that all of a group's processes are frozen."""
    if (directory / "freezer.state").exists():
        return (directory / "freezer.state").read_text() == "FROZEN\n"
    return "frozen 1\n" in (directory / "cgroup.events").read_text()


def gone(pids: list[int]) -> bool:
    """Whether none of them runs any more (who started them may not have looked yet)."""
    states = [state_of(pid) for pid in pids if Path(f"/proc/{pid}").exists()]
    return set(states) <= {"Z", "X"}


def test_a_fork_bomb_ends_with_its_component(caged: Stage) -> None:
    service = caged.ready(run="bomb() { sleep 1000 & for i in 1 2; do bomb & done; wait; }; bomb")
    caged.wait(lambda: len(service.pids({})) > 200)
    caged.supervisor.stop("app", 5.0)
    assert caged.processes("app") == []


def escaped(stage: Stage, service: Service) -> list[int]:
    """Processes of it that nothing but their cgroup says are its own, once its own is there, too: while it becomes
    another program, nothing else says so of that one either."""
    everyone, own = service.pids({}), stage.processes("app")
    return [pid for pid in everyone if pid not in own] if own else []


def test_the_next_agent_sweeps_what_a_killed_one_left(caged: Stage) -> None:
    service = caged.ready(run=f"{ESCAPE} {SLEEPER}")
    pids = caged.wait(lambda: escaped(caged, service))
    caged.supervisor.by_hand.pause("app")
    assert cgroups.sweep(caged.root) >= 2
    assert gone(pids)
    assert not (caged.root / cgroups.RECORD).exists()


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Stage]:
    """A stage over whatever cgroups this machine limits memory with."""
    corner = find_corner(tmp_path)
    if corner is None:
        pytest.skip("no cgroup may be made here")
    stage = Stage(tmp_path, corner=corner)
    try:
        stage.ready("try", run_with=with_limits(memory_mib=32))
        if stage.service("try").limits == "rlimits":
            pytest.skip("no memory controller may be used here")
        yield stage
    finally:
        stage.close()
        groups.clean(corner, tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("run", [HUNGRY, f"sh -c '{TAIL}' & {SLEEPER}"], ids=["all of it", "one process of it"])
def test_a_component_over_its_memory_limit_is_out_of_memory(limited: Stage, run: str) -> None:
    service = limited.start(run=run, run_with=with_limits(memory_mib=32))
    limited.wait(lambda: service.error)
    assert service.error is not None
    assert service.error.code == "component.out_of_memory"
    assert "32 MiB" in service.error.message
    assert service.limits in ("cgroup v1", "cgroup v2")
    assert limited.service("try").error is None


def test_the_cpu_limit_is_set_on_the_real_controller(tmp_path: Path) -> None:
    corner = groups.real_v1(tmp_path)
    if corner is None or "cpu" not in corner._directories:
        pytest.skip("no cpu controller of cgroup v1 may be used here")
    stage = Stage(tmp_path, corner=corner)
    try:
        service = stage.ready(run_with=with_limits(cpus=0.25))
        assert service.limits == "cgroup v1"
        cpu = corner._directories["cpu"] / "app"
        assert (cpu / "cpu.cfs_quota_us").read_text() == "25000\n"
        stage.wait(lambda: (cpu / "cgroup.procs").read_text())
        stage.close()
    finally:
        groups.clean(corner, tmp_path)


def test_without_cgroups_memory_is_held_for_each_process_and_cpus_are_said_not_to_be(stage: Stage) -> None:
    service = stage.start(run=HUNGRY, run_with=with_limits(memory_mib=100, cpus=0.5))
    stage.wait(lambda: service.error)
    assert service.limits == "rlimits, cpus not held"
    stage.wait(lambda: "MemoryError" in stage.log())
    roomy = stage.ready("roomy", run=HUNGRY, run_with=with_limits(memory_mib=2000))
    assert roomy.limits == "rlimits"
    free = stage.ready("free")
    assert free.limits == ""
    reported = {one.name: one.limits for one in stage.supervisor.report()}
    assert reported == {"app": "rlimits, cpus not held", "roomy": "rlimits", "free": ""}


def test_pausing_without_cgroups_stops_the_process_group(stage: Stage) -> None:
    service = stage.ready()
    (pid,) = stage.wait(lambda: stage.processes("app"))
    stage.supervisor.by_hand.pause("app")
    stage.wait(lambda: state_of(pid) == "T")
    stage.supervisor.by_hand.resume("app")
    stage.wait(lambda: state_of(pid) == "S")
    stage.supervisor.by_hand.pause("app")
    stage.supervisor.stop("app")
    assert service.state is ComponentState.STOPPING


def test_pausing_reaches_what_a_startup_left_behind(stage: Stage) -> None:
    stage.ready(startup="setsid sleep 1000 & sleep 1000 &")
    pids = stage.processes("app")
    assert len(pids) == 2
    assert stage.supervisor.usage()["app"].processes >= 1
    stage.supervisor.by_hand.pause("app")
    stage.wait(lambda: [state_of(pid) for pid in pids] == ["T", "T"])
    stage.supervisor.settle(0.01, 15.0)  # nobody asks it anything now
    stage.supervisor.by_hand.resume("app")
    stage.wait(lambda: [state_of(pid) for pid in pids] == ["S", "S"])


def test_a_paused_component_is_not_probed(stage: Stage) -> None:
    service = stage.ready(
        run=SLEEPER, probe=step(f"echo >> {stage.root}/asked; test ! -e {stage.root}/sick", timeout=0.1)
    )
    stage.supervisor.by_hand.pause("app")
    (stage.root / "sick").touch()
    with pytest.raises(AssertionError, match="in time"):
        stage.wait(lambda: service.error, timeout=1.0)
    (stage.root / "sick").unlink()
    stage.supervisor.by_hand.resume("app")


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


# --- trees that this machine does not have ----------------------------------------------------------------------------


def kernel(tmp_path: Path, cgroup: str, *mounts: str) -> Path:
    """A /proc/self with these cgroups and mounts."""
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(cgroup)
    (proc / "mountinfo").write_text("22 1 0:5 / / rw - ext4 /dev/sda1 rw\n" + "".join(f"{line}\n" for line in mounts))
    return proc


def test_version_2_limits_are_written_as_the_kernel_wants_them(tmp_path: Path) -> None:
    own = tmp_path / "tree" / "system.slice" / "lineside.service"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu memory pids\n")
    (own / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (own / "cgroup.subtree_control").write_text("")
    proc = kernel(
        tmp_path, "0::/system.slice/lineside.service\n", f"31 22 0:26 / {tmp_path}/tree rw - cgroup2 cgroup2 rw"
    )
    corner = find_corner(tmp_path, proc)
    assert isinstance(corner, CornerV2)
    directory = own / cgroups.corner_name(tmp_path) / "app"
    directory.mkdir(parents=True)
    (directory / "cgroup.controllers").write_text("cpu memory pids\n")
    group = corner.group("app", ResourceLimits(memory=65536, cpus=1.5))
    assert (own / "cgroup.subtree_control").read_text() == "+memory +cpu +pids\n"
    assert (directory / "memory.max").read_text() == "67108864\n"
    assert (directory / "memory.swap.max").read_text() == "0\n"
    assert (directory / "memory.oom.group").read_text() == "1\n"
    assert (directory / "cpu.max").read_text() == "150000 100000\n"
    assert (directory / "pids.max").read_text() == "2048\n"
    assert group.limits_memory
    assert group.limits_cpus
    (directory / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 1\n")
    assert group.out_of_memory() == 2


@pytest.mark.parametrize(("others", "moved"), [((), True), ((os.getppid(),), True), ((1,), False)])
def test_version_2_moves_the_agent_and_its_loader_out_of_the_way_but_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: tuple[int, ...], moved: bool
) -> None:
    monkeypatch.setenv("LINESIDE_LOADER_CHILD", "1")
    own = tmp_path / "own"
    (own / "cgroup.subtree_control").mkdir(parents=True)  # refuses, as the kernel does while somebody is in the group
    (own / "cgroup.controllers").write_text("memory\n")
    (own / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in (*others, os.getpid())))
    corner = CornerV2(tmp_path, own / "corner")
    (own / "corner" / "app").mkdir(parents=True)
    (own / "corner" / "app" / "cgroup.controllers").write_text("")
    group = corner.group("app", ResourceLimits(memory=1024))
    assert (own / "corner-agent" / "cgroup.procs").exists() is moved
    assert not group.limits_memory


def test_version_1_in_a_container_is_found_by_its_mounts(tmp_path: Path) -> None:
    for name in ("freezer", "memory", "cpu,cpuacct"):
        (tmp_path / "tree" / name).mkdir(parents=True)
    proc = kernel(
        tmp_path,
        "5:cpu,cpuacct:/docker/abc\n4:freezer:/docker/abc\n3:memory:/docker/abc\n",
        *(
            f"31 22 0:26 /docker/abc {tmp_path}/tree/{name} rw - cgroup cgroup rw,{name}"
            for name in ("freezer", "memory", "cpu,cpuacct")
        ),
    )
    corner = find_corner(tmp_path, proc)
    assert isinstance(corner, CornerV1)
    group = corner.group("app", ResourceLimits(memory=65536, cpus=0.5))
    name = cgroups.corner_name(tmp_path)
    assert (tmp_path / "tree" / "memory" / name / "app" / "memory.limit_in_bytes").read_text() == "67108864\n"
    assert (tmp_path / "tree" / "cpu,cpuacct" / name / "app" / "cpu.cfs_quota_us").read_text() == "50000\n"
    assert (group.limits_memory, group.limits_cpus) == (True, True)


def test_nothing_that_may_be_written_is_no_corner(tmp_path: Path) -> None:
    assert find_corner(tmp_path, tmp_path / "no-proc") is None
    assert find_corner(tmp_path, kernel(tmp_path, "0::/\n")) is None


def test_a_sweep_touches_only_directories_of_this_root(tmp_path: Path) -> None:
    stranger = tmp_path / "lineside-0123"
    (stranger / "app").mkdir(parents=True)
    (stranger / "cgroup.procs").touch()
    cgroups.remember(tmp_path, [stranger])
    assert cgroups.sweep(tmp_path) == 0
    assert (stranger / "app").is_dir()
    (tmp_path / cgroups.RECORD).write_bytes(b"not JSON")
    assert cgroups.sweep(tmp_path) == 0
