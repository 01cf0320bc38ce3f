"""Images side by side get a thread each and one alone gets all; what comes out is the same."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from benchmarks.detector import detector

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.engines import ENGINES, Engine, engine_of
from tests.eventually import PATIENCE

pytest.importorskip("openvino")


def made(name: str, threads: int, *, any_size: bool = False) -> Engine:
    signature = Signature(head="compact", input_width=64, input_height=64, labels=("a", "b", "c"), engine=name)
    return engine_of(detector(64, any_size=any_size), signature, threads)


@pytest.mark.parametrize("heights", [(64,), (64, 32, 64, 32, 32)], ids=["one size", "sizes in turn"])
@pytest.mark.parametrize("name", sorted(ENGINES))
def test_runs_at_once_answer_what_one_alone_answers(name: str, heights: tuple[int, ...]) -> None:
    engine = made(name, 2, any_size=len(heights) > 1)
    rng = np.random.default_rng(0)
    tensors = [rng.random((1, 3, heights[number % len(heights)], 64), np.float32) for number in range(8)]
    alone = [engine.run(tensor)[0] for tensor in tensors]
    together: dict[int, np.ndarray] = {}
    start = threading.Barrier(8)

    def run(number: int) -> None:
        start.wait(PATIENCE)
        together[number] = engine.run(tensors[number])[0]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(together) == list(range(8))
    for number, expected in enumerate(alone):
        assert np.allclose(together[number], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_run_that_failed_takes_no_lane_with_it(name: str) -> None:
    engine = made(name, 2)
    for _ in range(5):
        with pytest.raises(LinesideError):
            engine.run(np.zeros((1, 3, 8, 8), np.float32))
    assert engine.run(np.zeros((1, 3, 64, 64), np.float32))[0].shape == (1, 84, 7)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_beside_whoever_steps_aside_it_answers_the_same(name: str) -> None:
    engine, tensor = made(name, 2), np.full((1, 3, 64, 64), 0.5, np.float32)
    alone = engine.run(tensor)[0]
    with engine.aside():
        assert np.allclose(engine.run(tensor)[0], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize(("threads", "lanes"), [(1, 1), (2, 2), (64, 8)])
def test_there_are_as_many_lanes_as_threads_up_to_eight(name: str, threads: int, lanes: int) -> None:
    assert made(name, threads).lanes == lanes
