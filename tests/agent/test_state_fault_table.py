"""Every state × every fault: the device ends with what was good or with what is wanted, nothing else, and says why.

A row is a state, a column a fault; a cell says which version of `app` runs in the end and which code was reported on
the way (None: none has to be). `1.0.0` was good, `2.0.0` is wanted.
"""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.agent import database
from lineside.agent.bus.ports import LocalDeploymentRequest
from lineside.agent.updating import execute, packages
from lineside.agent.updating.questions import Nobody
from lineside.agent.updating.steps import (
    Begin,
    Collect,
    Commit,
    FetchArtifact,
    Notify,
    Settle,
    Stage,
    Start,
    Step,
    Stop,
)
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest
from tests.agent.components import recipe
from tests.agent.rig import Rig, fakes

NEW, OLD = "2.0.0", "1.0.0"
WRONG = "component.golden_mismatch"  # what a step that fails says in this table

STATES: dict[str, tuple[type[Step] | None, Callable[[Any], bool]]] = {
    "idle": (None, lambda step: True),
    "fetching": (FetchArtifact, lambda step: True),
    "staging": (Stage, lambda step: True),
    "notifying": (Notify, lambda step: True),
    "beginning": (Begin, lambda step: True),
    "stopping": (Stop, lambda step: True),
    "starting": (Start, lambda step: step.trial),
    "settling": (Settle, lambda step: True),
    "committing": (Commit, lambda step: True),
    "rolling back": (Start, lambda step: not step.trial),
    "collecting": (Collect, lambda step: True),
    "local deploying": (Stage, lambda step: step.component.name == "extra"),
}

FULL, UNREADABLE, NEWER = "device.disk_full", "state.unreadable", "state.newer_schema"
FAULTS = ("error", "SIGKILL before", "SIGKILL after", "hang", "ENOSPC", "unreadable", "older schema", "newer schema")
Cell = tuple[str, str | None]


def row(error: Cell, hang: Cell, *, end: str = NEW, code: str | None = None) -> dict[str, Cell]:
    """A row: two cells that differ by state, and the others, which all end with `end`."""
    killed: Cell = end, code
    return dict(
        zip(
            FAULTS,
            (error, killed, killed, hang, (end, FULL), (end, UNREADABLE), killed, (end, NEWER)),
            strict=True,
        )
    )


TABLE: dict[str, dict[str, Cell]] = {
    "idle": row(error=(NEW, None), hang=(NEW, None)),
    "fetching": row(error=(OLD, WRONG), hang=(NEW, "link.stalled")),
    "staging": row(error=(OLD, WRONG), hang=(NEW, "deploy.stage_timeout")),
    "notifying": row(error=(OLD, WRONG), hang=(NEW, None)),
    "beginning": row(error=(OLD, WRONG), hang=(NEW, None)),
    "stopping": row(error=(OLD, WRONG), hang=(NEW, None)),
    "starting": row(error=(OLD, WRONG), hang=(OLD, "deploy.start_timeout")),
    "settling": row(error=(OLD, WRONG), hang=(OLD, "deploy.soak_timeout")),
    "committing": row(error=(OLD, WRONG), hang=(NEW, None)),
    "rolling back": row(
        error=(OLD, "component.broken"), hang=(OLD, "component.broken"), end=OLD, code="component.broken"
    ),
    "collecting": row(error=(NEW, WRONG), hang=(NEW, None)),
    "local deploying": row(error=(OLD, WRONG), hang=(OLD, "deploy.stage_timeout"), end=OLD),
}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The disk of a device on which 1.0.0 is good, and 0.9.0 was before it."""
    with pytest.MonkeyPatch.context() as patch:
        fakes(patch)
        rig = Rig(tmp_path_factory.mktemp("healthy") / "root")
        rig.boot()
        for revision, version in enumerate(("0.9.0", OLD), start=1):
            rig.want(revision, rig.release(version))
            rig.live(rounds=2)
        assert rig.running() == {"app": OLD}
        rig.off()
        yield rig.paths.root


@pytest.fixture
def rig(healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    fakes(monkeypatch)
    Rig(healthy).copy_to(tmp_path / "root")
    found = Rig(tmp_path / "root")
    found.want(2, found.release(OLD))
    found.boot()
    found.live(rounds=1)
    assert found.running() == {"app": OLD}
    yield found
    found.off()


def begin(rig: Rig, state: str) -> None:
    """What makes the device come to a state."""
    if state == "local deploying":
        folder = rig.paths.root.parent / "recipes"
        folder.mkdir()
        (folder / "extra-1.0.0.json").write_bytes(msgspec.json.encode(recipe("extra", Run="ready")))
        request = LocalDeploymentRequest(add={"extra": "1.0.0"}, recipes=str(folder))
        rig.agent._local.deploy(request)
        return
    rig.want(3, rig.release(NEW, "broken" if state == "rolling back" else "ready"))


def inject(rig: Rig, state: str, act: Callable[[Callable[[Any], None], Any], None]) -> None:
    kind, when = STATES[state]
    if kind is None:
        real = rig.agent._state.save_desired
        rig.agent._state.save_desired = lambda *what: act(lambda _: real(*what), None)  # type: ignore[method-assign]
    else:
        rig.around(kind, act, when)


# --- faults -------------------------------------------------------------------------------------------------------


def error(rig: Rig, state: str, patch: pytest.MonkeyPatch) -> None:
    """The step says that it cannot be done: for good before and in a trial, once afterwards."""
    once = state in ("idle", "rolling back", "collecting")
    failed = []

    def act(real: Callable[[Any], None], step: Any) -> None:
        if failed and once:
            return real(step)
        failed.append(step)
        if state == "idle":
            raise OSError(errno.EINTR, "the poll is broken off")
        raise LinesideError(WRONG, name="app", log="")

    inject(rig, state, act)
    begin(rig, state)
    rig.live()
    assert failed


def killed(when: str) -> Callable[[Rig, str, pytest.MonkeyPatch], None]:
    def fault(rig: Rig, state: str, patch: pytest.MonkeyPatch) -> None:
        def act(real: Callable[[Any], None], step: Any) -> None:
            if when == "after":
                real(step)
            os.kill(os.getpid(), signal.SIGKILL)

        begin(rig, state)
        rig.off()

        def scene() -> None:
            rig.boot()
            inject(rig, state, act)
            rig.live()

        rig.killed(scene)
        rig.boot()

    return fault


def hang(rig: Rig, state: str, patch: pytest.MonkeyPatch) -> None:
    """The step does not end by itself; its deadline ends it. Afterwards nothing hangs any more."""
    with pytest.MonkeyPatch.context() as slow:
        begin(rig, state)
        _make_it_hang(rig, state, slow)
        rig.live(rounds=2)
    rig.agent._database._connection.execute("PRAGMA busy_timeout=10000")


def _make_it_hang(rig: Rig, state: str, slow: pytest.MonkeyPatch) -> None:
    if state == "fetching":
        slow.setattr(execute.Store, "fetch", _trickle)
    elif state in ("staging", "local deploying"):
        slow.setattr(packages, "PATIENCE", -1.0)
    elif state == "notifying":
        document = rig.control.document
        assert document is not None
        policy = type(document[0].update_policy)(timeout_in_seconds=0.05)
        rig.want(3, *document[0].components, update_policy=policy)
        rig.agent._executor.attach(_PutsOff())
    elif state in ("starting", "rolling back"):
        slow.setattr(execute, "_start_patience", lambda launch: 0.05)
        if state == "starting":
            rig.want(3, rig.release(NEW, "never"))
    elif state == "settling":
        slow.setattr(execute, "SOAK_PATIENCE", 0.05)
        inject(rig, "starting", _start_without_waiting(rig))
        rig.want(3, rig.release(NEW, "never"))
    elif state != "stopping":  # the disk does not answer: somebody holds the database for as long as a round takes
        rig.agent._database._connection.execute("PRAGMA busy_timeout=10")
        inject(rig, state, _while_locked(rig))


class _PutsOff(Nobody):
    def ask_to_update(self, *_: Any, **__: Any) -> float:
        return 1000.0


def _trickle(*_: Any) -> None:
    progress = execute.Store.__init__.__globals__["Progress"]("data.bin")
    progress.PATIENCE = 0.01
    while True:
        time.sleep(0.02)
        progress.count(1)


def _start_without_waiting(rig: Rig) -> Callable[[Callable[[Any], None], Any], None]:
    def act(real: Callable[[Any], None], step: Any) -> None:
        launch = rig.agent._executor._prepare(step.component, step.within)
        rig.agent._supervisor.start(step.component, step.fingerprint, {}, launch)

    return act


def _while_locked(rig: Rig) -> Callable[[Callable[[Any], None], Any], None]:
    seen = []

    def act(real: Callable[[Any], None], step: Any) -> None:
        if seen:
            return real(step)
        seen.append(step)
        other = sqlite3.connect(rig.paths.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            real(step)
        finally:
            other.close()

    return act


def full(rig: Rig, state: str, patch: pytest.MonkeyPatch) -> None:
    """Nothing can be written for two rounds."""
    left = [2]

    def act(real: Callable[[Any], None], step: Any) -> None:
        if left[0] == 0:
            return real(step)
        left[0] -= 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    inject(rig, state, act)
    begin(rig, state)
    rig.live()
    assert left == [0]


class _PowerCut(BaseException):
    pass


def cut(damage: Callable[[Rig], None]) -> Callable[[Rig, str, pytest.MonkeyPatch], None]:
    """The power goes in the step, and the state is something else when it comes back."""

    def fault(rig: Rig, state: str, patch: pytest.MonkeyPatch) -> None:
        def act(real: Callable[[Any], None], step: Any) -> None:
            raise _PowerCut

        inject(rig, state, act)
        begin(rig, state)
        with pytest.raises(_PowerCut):
            rig.live()
        rig.off()
        damage(rig)
        rig.boot()

    return fault


def unreadable(rig: Rig) -> None:
    """With its log, which may hold all of it."""
    for ending in ("-wal", "-shm"):
        rig.paths.database.with_name(rig.paths.database.name + ending).unlink(missing_ok=True)
    rig.paths.database.write_bytes(b"not a database" * 1000)


def older(rig: Rig) -> None:
    """As the agent of the first schema would have left it."""
    rig.rewrite("ALTER TABLE outbox DROP COLUMN priority", "PRAGMA user_version=1", "PRAGMA application_id=0")


def newer(rig: Rig) -> None:
    """As an agent would leave it that keeps its facts elsewhere."""
    above = len(database._SCHEMA) + 1
    rig.rewrite(
        "ALTER TABLE facts RENAME TO truths",
        f"PRAGMA user_version={above}",
        f"PRAGMA application_id={database._MARK | above}",
    )


ACTS: dict[str, Callable[[Rig, str, pytest.MonkeyPatch], None]] = {
    "error": error,
    "SIGKILL before": killed("before"),
    "SIGKILL after": killed("after"),
    "hang": hang,
    "ENOSPC": full,
    "unreadable": cut(unreadable),
    "older schema": cut(older),
    "newer schema": cut(newer),
}

CELLS = [pytest.param(state, fault, id=f"{state} × {fault}") for state in STATES for fault in FAULTS]


@pytest.mark.parametrize(("state", "fault"), CELLS)
def test_state_and_fault(rig: Rig, state: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    version, code = TABLE[state][fault]
    ACTS[fault](rig, state, monkeypatch)
    rig.live()
    extra = {"extra": "1.0.0"} if state == "local deploying" and fault not in ("error", "hang") else {}
    assert rig.running() == {"app": version} | extra
    assert code is None or code in rig.codes
    good = rig.agent._state.good()
    assert {item.name: item.version for item in good.components} == rig.running()
    assert rig.agent._state.attempt() is None
    rig.off()
    rig.boot()  # and it is the same after one more start, with nobody to ask
    rig.control.away = True
    rig.live(rounds=3)
    healed = fault == "error" and state in ("staging", "notifying", "beginning")  # what was only refused is tried again
    assert rig.running() == {"app": NEW if healed else version} | extra


def test_the_table_has_every_cell() -> None:
    assert {(state, fault) for state, cells in TABLE.items() for fault in cells} == {
        (state, fault) for state in STATES for fault in ACTS
    }
    assert content_digest(sorted(TABLE)) == content_digest(sorted(STATES))
