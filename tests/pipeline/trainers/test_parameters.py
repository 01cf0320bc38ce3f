from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from lineside.contract.errors import LinesideError
from lineside.pipeline.trainers.base import trainer

NAMES = ("compact", "yolox")


def test_an_unknown_trainer_is_refused_with_those_installed() -> None:
    with pytest.raises(LinesideError) as refused:
        trainer("detectron")
    assert refused.value.code == "training.trainer_unknown"
    assert "compact" in refused.value.message
    assert "yolox" in refused.value.message


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(LinesideError) as refused:
        trainer(name).signature(("a",), {"epoch": 3})
    assert refused.value.code == "training.parameter_unknown"
    assert "epochs" in refused.value.message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("epochs", 0),
        ("epochs", "3"),
        ("epochs", True),
        ("input_width", 100),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("mosaic", 1.5),
        ("flip_vertical", 1),
        ("minutes", -1.0),
        ("patience", -1),
    ],
)
def test_a_wrong_value_is_refused(name: str, parameter: str, value: Any) -> None:
    with pytest.raises(LinesideError) as refused:
        trainer(name).signature(("a",), {parameter: value})
    assert refused.value.code == "training.parameter_invalid"
    assert parameter in refused.value.message


def test_an_integer_serves_where_a_number_is_asked_for() -> None:
    trainer("yolox").signature(("a",), {"warmup_epochs": 2})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("parameter", ["size", "device", "freeze"])
def test_what_is_none_of_the_choices_is_refused(name: str, parameter: str) -> None:
    with pytest.raises(LinesideError) as refused:
        trainer(name).signature(("a",), {parameter: "huge"})
    assert refused.value.code == "training.parameter_invalid"
    assert "one of" in refused.value.message


def test_the_defaults_are_themselves_good_parameters() -> None:
    for name in NAMES:
        built = trainer(name)
        assert built.signature(("a",), built.defaults()) == built.signature(("a",), {})
        assert built.name == name


def test_threads_that_wait_look_on_for_a_moment_unless_somebody_said_otherwise() -> None:
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    said = f"import os, lineside.pipeline.trainers.base; print(*map(os.environ.get, {names}))"
    unset = {name: value for name, value in os.environ.items() if name not in names}
    for more, policy in (
        ({}, "PASSIVE 20000"),
        ({"GOMP_SPINCOUNT": "5"}, "PASSIVE 5"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", said], env=unset | more, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == policy
