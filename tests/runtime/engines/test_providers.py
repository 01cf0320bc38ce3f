"""Which execution provider runs a model: what people name and what is there, and the CPU behind all of them."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine
from lineside.runtime.engines.options import PROVIDERS, EngineOptions, chosen
from tests.runtime.conftest import bright_model

CPU = "CPUExecutionProvider"
CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
NAMES = st.lists(st.sampled_from([*PROVIDERS, *PROVIDERS.values()]), max_size=5)


def test_it_is_what_is_there_in_the_order_that_was_given() -> None:
    assert chosen((), [CPU, TENSORRT, CUDA]) == ([CUDA, CPU], [])
    assert chosen(("tensorrt", "cuda"), [CPU, CUDA, TENSORRT]) == ([TENSORRT, CUDA, CPU], [])
    assert chosen(("TensorRT", "cuda"), [CPU, CUDA]) == ([CUDA, CPU], [TENSORRT])
    assert chosen(("cpu",), [CPU, CUDA]) == ([CPU], [])
    assert chosen(("cpu", "cuda"), [CPU, CUDA]) == ([CPU], [])
    assert chosen((), [CPU]) == ([CPU], [])


@given(NAMES, st.sets(st.sampled_from(sorted(PROVIDERS.values()))))
def test_the_cpu_is_always_last_and_nothing_runs_that_is_not_there(order: list[str], there: set[str]) -> None:
    names, missing = chosen(tuple(order), [*there, CPU])
    assert names[-1] == CPU
    assert set(names) <= there | {CPU}
    assert not set(missing) & (there | {CPU})


def test_what_is_not_there_is_said_and_the_cpu_answers() -> None:
    assert "QNNExecutionProvider" not in onnxruntime.get_available_providers()
    engine = OnnxRuntimeEngine(bright_model(), threads=1, options=EngineOptions(providers=("qnn",)))
    assert engine.provider == CPU
    assert engine.notes == ("QNNExecutionProvider is not in this ONNX Runtime",)
    assert engine.run(np.ones((1, 3, 64, 64), np.float32))[0][0, 0, 4] == pytest.approx(1.0)


def test_a_provider_that_fails_is_said_and_the_cpu_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])  # listed, yet it cannot be loaded
    engine = OnnxRuntimeEngine(bright_model(), threads=1)
    assert engine.provider == CPU
    (note,) = engine.notes
    assert note.startswith(CUDA)
    assert engine.run(np.ones((1, 3, 64, 64), np.float32))[0][0, 0, 4] == pytest.approx(1.0)


@pytest.mark.parametrize("options", [EngineOptions(), EngineOptions(spinning=True), EngineOptions(arena=False)])
def test_settings_change_how_it_runs_and_not_what_it_says(options: EngineOptions) -> None:
    picture = np.random.default_rng(5).random((1, 3, 64, 64), np.float32)
    (expected,) = OnnxRuntimeEngine(bright_model(), threads=1).run(picture)
    engine = OnnxRuntimeEngine(bright_model(), threads=2, options=options)
    assert engine.notes == ()
    np.testing.assert_allclose(engine.run(picture)[0], expected, rtol=1e-6)
