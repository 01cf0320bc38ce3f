from __future__ import annotations

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
    ],
)
def test_a_wrong_value_is_refused(name: str, parameter: str, value: Any) -> None:
    with pytest.raises(LinesideError) as refused:
        trainer(name).signature(("a",), {parameter: value})
    assert refused.value.code == "training.parameter_invalid"
    assert parameter in refused.value.message


def test_an_integer_serves_where_a_number_is_asked_for() -> None:
    trainer("yolox").signature(("a",), {"warmup_epochs": 2})


def test_a_yolox_too_thin_to_be_built_is_refused() -> None:
    with pytest.raises(LinesideError) as refused:
        trainer("yolox").signature(("a",), {"width": 0.0})
    assert refused.value.code == "training.parameter_invalid"


def test_the_defaults_are_themselves_good_parameters() -> None:
    for name in NAMES:
        built = trainer(name)
        assert built.signature(("a",), built.defaults()) == built.signature(("a",), {})
        assert built.name == name
