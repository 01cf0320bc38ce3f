"""kill -9 at every step boundary and in the middle of training: the end is that of an undisturbed run, to the byte.

A real training with a fixed seed on one thread. The run's process is killed once at each point; the worker goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lineside.contract.run import TRAIN_STEPS, Run, RunRequest, RunState
from tests.eventually import eventually
from tests.pipeline.conftest import SIDE, Workplace, add_squares

EPOCHS = 3
PARAMETERS = {"epochs": EPOCHS, "input_width": SIDE, "input_height": SIDE}


def trained(place: Workplace) -> tuple[Run, bytes, int]:
    """A run to its end: it, all numbers that it came to, and how many attempts it took.

    Which variant ships, and in which form, hangs on measured times: the chosen one's digest is not among them.
    """
    dataset = add_squares(place.control)
    request = RunRequest(model="squares", dataset=dataset.id, parameters=PARAMETERS | {"min_map": 0.0}, seed=7)
    run = place.finish(place.control.start_run(request), 270.0)
    assert run.error is None, place.log()[-3000:]
    (model,) = place.control.models
    numbers = {
        "variants": {variant.name: variant.metrics for variant in model.variants},
        "fp32": next(variant.digest for variant in model.variants if variant.name == "fp32"),
        "curves": sorted((series, epoch, value) for (series, epoch), value in place.control.curves[run.id].items()),
    }
    return run, msgspec.json.encode(numbers, order="deterministic"), run.attempt


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    place = Workplace(tmp_path_factory.mktemp("undisturbed"))
    place.start_worker("--slots", "2")
    run, numbers, attempts = trained(place)
    assert (run.state, attempts) == (RunState.SUCCEEDED, 1)
    yield numbers
    place.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("points", "deaths"),
    [
        ("step.performed,step.reported", 2 * len(TRAIN_STEPS)),
        ("step.begun:train,epoch,step.remembered:train,step.remembered:register,run.ended,run.finished", EPOCHS + 5),
    ],
)
def test_killed_at_every_point_the_numbers_are_those_of_an_undisturbed_run(
    workplace: Workplace, tmp_path: Path, undisturbed: bytes, points: str, deaths: int
) -> None:
    """With two slots each run has one thread, on a machine with two cores. Nothing is registered twice."""
    died = tmp_path / "died"
    died.mkdir()
    workplace.start_worker("--slots", "2", LINESIDE_CRASH_AT=points, LINESIDE_CRASH_ONCE=str(died))
    run, numbers, attempts = trained(workplace)
    eventually(lambda: len(list(died.iterdir())) == deaths)  # the last one is after its last word
    assert run.state is RunState.SUCCEEDED
    assert numbers == undisturbed
    assert attempts >= deaths  # a death after the last word needs no attempt more
    assert workplace.started == 1
