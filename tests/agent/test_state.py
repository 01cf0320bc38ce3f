"""What the agent remembers: a component's own changes of its configuration, Bootstrap steps, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.agent.database import Database
from lineside.agent.updating.state import State
from lineside.contract.errors import ErrorReport, LinesideError
from tests.agent.test_plan import V2, one, set_of, wanted

ERROR = ErrorReport(code="deploy.configuration_refused", message="No.")


@pytest.fixture
def state(tmp_path: Path) -> State:
    """app1 is good, with speed 1."""
    found = State(Database(tmp_path / "agent.db"))
    found.begin(set_of(wanted("app1", revision=1), speed=1, deep={"a": 1}))
    found.commit()
    return found


def good_configuration(state: State) -> dict[str, object]:
    own = state.good().named("app")
    assert own is not None
    return own.configuration


def test_a_component_changes_its_configuration_and_it_is_there_after_a_restart(state: State, tmp_path: Path) -> None:
    new = state.update_configuration(one("app1", speed=1, deep={"a": 1}), ["deep"], {"b": 2}, at=100.0)
    assert new.configuration == {"speed": 1, "deep": {"a": 1, "b": 2}}
    assert good_configuration(State(Database(tmp_path / "agent.db"))) == new.configuration


@pytest.mark.parametrize(
    ("path", "at", "refused"),
    [
        (["deep"], 99.0, True),
        (["DEEP", "a"], 99.0, True),
        ([], 99.0, True),
        (["deep"], 100.0, False),
        (["deeper"], 99.0, False),
        (["other"], 1.0, False),
    ],
)
def test_an_older_time_is_refused_where_something_newer_is(
    state: State, path: list[str], at: float, refused: bool
) -> None:
    own = state.update_configuration(one("app1"), ["deep"], {"b": 2}, at=100.0)
    if not refused:
        state.update_configuration(own, path, {"x": 1}, at)
        return
    before = good_configuration(state)
    with pytest.raises(LinesideError, match=r"bus\.condition_failed"):
        state.update_configuration(own, path, {"x": 1}, at)
    assert good_configuration(state) == before


def test_a_change_by_a_version_under_trial_goes_when_the_version_does(state: State) -> None:
    state.begin(set_of(V2, speed=2))
    state.update_configuration(one("app2", speed=2), [], {"speed": 3}, at=1.0)
    attempt = state.attempt()
    assert attempt is not None
    assert attempt.wanted.components[0].configuration == {"speed": 3}
    assert good_configuration(state)["speed"] == 1
    state.fail(ERROR, held=False)
    assert good_configuration(state)["speed"] == 1


def test_a_change_during_a_trial_that_leaves_the_component_alone_is_kept_either_way(state: State) -> None:
    own = one("app1", speed=1)
    trial = set_of(wanted("app1", "base1"), speed=1)
    state.begin(trial)
    state.update_configuration(own, [], {"speed": 9}, at=1.0)
    assert good_configuration(state)["speed"] == 9
    state.commit()
    assert good_configuration(state)["speed"] == 9


def test_a_bootstrap_step_is_not_forgotten_by_the_restart_it_asked_for(state: State) -> None:
    for _ in range(3):
        state.begin(set_of(V2))
    state.add_bootstrapped("app")
    again = state.begin(set_of(V2))
    assert (again.tries, again.bootstrapped) == (1, ("app",))
    assert state.begin(set_of(wanted("app2", revision=7))).bootstrapped == ()


def test_a_refusal_leaves_the_good_set_and_is_remembered(state: State) -> None:
    state.refuse(set_of(V2), ERROR)
    outcome = state.outcome()
    assert outcome is not None
    assert outcome.refused
    assert state.attempt() is None
    assert good_configuration(state)["speed"] == 1
