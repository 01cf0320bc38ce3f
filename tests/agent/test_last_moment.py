"""What a component changes of its configuration while an update is on its way is in the trial, not lost to it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from lineside.agent.host import AgentHost
from lineside.agent.keys.opening import open_keys
from lineside.agent.secrets import Secrets
from lineside.agent.updating.steps import Begin, Start
from lineside.contract.errors import LinesideError
from tests.agent.rig import Rig, fakes


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    fakes(monkeypatch)
    found = Rig(tmp_path / "root")
    found.want(1, found.release("1.0.0"))
    found.boot()
    found.live()
    assert found.running() == {"app": "1.0.0"}
    return found


def host(rig: Rig) -> AgentHost:
    agent = rig.agent
    secrets = Secrets(rig.paths.secrets, open_keys(rig.paths))
    return AgentHost(
        rig.paths, agent._state, agent._supervisor, agent._executor, agent._local, lambda *_: None, secrets
    )


def test_a_change_just_before_the_trial_begins_is_in_it(rig: Rig) -> None:
    learned = []

    def act(real: Any, step: Any) -> None:
        if not learned:
            learned.append(step)
            host(rig).update_configuration("app", [], {"exposure": 7}, at=1.0)
        real(step)

    rig.around(Begin, act)
    rig.want(2, rig.release("2.0.0"))
    rig.live()
    assert rig.running() == {"app": "2.0.0"}
    assert host(rig).configuration("app") == {"exposure": 7}
    rig.off()


def test_a_change_by_the_version_under_trial_goes_with_it(rig: Rig) -> None:
    def act(real: Any, step: Any) -> None:
        real(step)
        if step.trial:
            host(rig).update_configuration("app", [], {"exposure": 9}, at=1.0)

    rig.around(Start, act)
    rig.want(2, rig.release("2.0.0"), failure_policy="ROLLBACK")
    rig.agent._supervisor.settle = _never_settled  # type: ignore[method-assign]
    rig.live()
    assert rig.running() == {"app": "1.0.0"}
    assert host(rig).configuration("app") == {}
    rig.off()


def _never_settled(*_: Any) -> None:
    raise LinesideError("deploy.soak_timeout", seconds="1", patience="2")


def test_many_changes_from_another_thread_restart_nothing(rig: Rig) -> None:
    own = host(rig)
    service = rig.agent._supervisor._running["app"].service

    def change() -> None:
        for number in range(50):
            own.update_configuration("app", [], {"count": number}, at=float(number))

    thread = threading.Thread(target=change)
    thread.start()
    while thread.is_alive():
        rig.live(rounds=1)
    thread.join()
    rig.live()
    assert own.configuration("app") == {"count": 49}
    assert rig.agent._supervisor._running["app"].service is service
    rig.off()
