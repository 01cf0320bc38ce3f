"""Killed before any of its effects and started again, the way of a model goes on to its end, each thing done once."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lineside.contract.model import ModelState
from lineside.contract.rollout import RolloutState
from lineside.contract.twin import TwinState
from lineside.server.access.trail import AuditTrail, Wanted
from tests.server.loops import loop_story
from tests.server.loops.loop_story import DEVICES, House, Killed, count_down


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Code for devices, small so that packing it costs nothing."""
    folder = tmp_path / "lineside"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    return folder


def _kill() -> None:
    raise Killed


def _go(root: Path, sources: Path, killed_before: int) -> bool:
    """Go the way until killed; whether it came to its end before."""
    try:
        house = House(root, sources, count_down(killed_before, _kill))
    except Killed:
        return False
    try:
        house.go()
    except Killed:
        return False
    finally:
        house.close()
    return True


def _check(root: Path, sources: Path) -> None:
    house = House(root, sources)
    try:
        assert house.model() is ModelState.APPROVED
        with house.core.database.read() as session:
            rollouts = house.rollouts.page(session).rollouts
            kinds = [event.kind for event in house.core.events.page(session, before=None, kind=None, limit=500).events]
        assert [rollout.state for rollout in rollouts] == [
            RolloutState.SUCCEEDED
        ] * 4  # to the twins, back, again; line
        assert [house.fleet.desired(name).revision for name in (*DEVICES, "twin")] == [1, 1, 3]
        done_once = [kind for kind in kinds if kind.startswith(("deployment.", "rollout.", "model.", "twin."))]
        assert sorted(done_once) == sorted(
            ["deployment.created", "rollout.started", "rollout.succeeded"] * 4
            + ["rollout.wave_opened", "model.candidate", "model.in_twin", "model.awaiting_approval", "model.approved"]
            + [f"twin.{state.value}" for state in TwinState if state is not TwinState.FAILED]
        )
        assert kinds.count("component.released") == 2
        trail = AuditTrail(house.core)
        assert trail.verify().findings == ()
        assert trail.page(Wanted(action="model.approve"), None, 10).total == 1
    finally:
        house.close()


def test_killed_before_each_effect_in_turn(tmp_path, sources):
    for effect in itertools.chain(range(0, 30, 2), itertools.count(30, 7)):  # from there on stages of the test repeat
        root = tmp_path / f"root-{effect}"
        if _go(root, sources, effect):
            break
        assert _go(root, sources, 10_000)
        _check(root, sources)
    assert effect > 30


def test_killed_again_and_again(tmp_path, sources):
    """Every ninth effect: the largest that is repeated as a whole is making the repository, seven files."""
    rounds = next(n for n in range(1, 30) if _go(tmp_path / "root", sources, 8))
    assert rounds > 4
    _check(tmp_path / "root", sources)


@pytest.mark.parametrize("effect", [9, 24])
def test_a_real_kill_9(tmp_path, sources, effect):
    command = [sys.executable, loop_story.__file__, str(tmp_path / "root"), str(sources)]
    killed = subprocess.run([*command, str(effect)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    again = subprocess.run([*command, "10000"], capture_output=True, text=True, check=True)
    assert again.stdout == "done\n"
    _check(tmp_path / "root", sources)
