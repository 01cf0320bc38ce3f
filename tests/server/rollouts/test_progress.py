"""Where a device stands is recomputed from its report; its own word is not enough."""

from __future__ import annotations

import pytest

from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.errors import ErrorReport
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent
from lineside.contract.rollout import DeviceProgress
from lineside.server.rollouts.progress import is_settled, progress_of

WANTED = Desired(
    device="a",
    revision=4,
    components=(DesiredComponent(name="m", version="1.0.0", target="models/m-1.0.0.json", recipe_digest="sha256:new"),),
)
NOTHING = Desired(device="a", revision=5)


def report(phase, revision=4, digest="sha256:new", state=ComponentState.RUNNING, error=None) -> Report:
    running = ReportedComponent(name="m", version="1.0.0", recipe_digest=digest, state=state)
    return Report(
        device="a",
        sequence=1,
        at="2026-01-01T00:00:00Z",
        revision=revision,
        phase=phase,
        running=(running,),
        error=error,
    )


@pytest.mark.parametrize(
    ("said", "progress"),
    [
        (None, DeviceProgress.NOTIFIED),
        (report(Phase.HEALTHY, revision=3), DeviceProgress.NOTIFIED),
        (report(Phase.HEALTHY, revision=5), DeviceProgress.NOTIFIED),
        (report(Phase.FETCHING), DeviceProgress.INSTALLING),
        (report(Phase.STARTING), DeviceProgress.INSTALLING),
        (report(Phase.IDLE), DeviceProgress.INSTALLING),
        (report(Phase.HEALTHY), DeviceProgress.HEALTHY),
        (report(Phase.ROLLED_BACK), DeviceProgress.FAILED),
        (report(Phase.FAILED), DeviceProgress.FAILED),
        (report(Phase.REFUSED), DeviceProgress.FAILED),
    ],
)
def test_a_report_gives_the_progress(said, progress):
    assert progress_of(WANTED, said)[0] is progress


@pytest.mark.parametrize("other", [{"digest": "sha256:old"}, {"state": ComponentState.BROKEN}])
def test_healthy_while_running_something_else_is_a_failure_that_says_so(other):
    progress, error = progress_of(WANTED, report(Phase.HEALTHY, **other))
    assert progress is DeviceProgress.FAILED
    assert error is not None
    assert error.code == "rollout.not_as_wanted"


def test_a_failure_keeps_what_the_device_said():
    error = ErrorReport(code="artifact.digest_mismatch", message="a byte is wrong")
    assert progress_of(WANTED, report(Phase.ROLLED_BACK, error=error)) == (DeviceProgress.FAILED, error)


def test_a_device_that_wants_nothing_is_back_when_it_idles():
    assert is_settled(NOTHING, report(Phase.IDLE, revision=5))
    assert not is_settled(NOTHING, report(Phase.HEALTHY, revision=4))
