"""Which variant ships, and the sentence that says why."""

from __future__ import annotations

import pytest

from lineside.contract.model import Metrics, Variant
from lineside.pipeline.steps.optimize import choose


def variant(name: str, val: float | None, latency: float) -> Variant:
    scores = {} if val is None else {"val": Metrics(map50=0.9, map=val, images=30, boxes=60)}
    return Variant(name=name, digest="sha256:0", size=1, metrics=scores, latency_ms=latency)


@pytest.mark.parametrize(
    ("before", "after", "slow", "fast", "ships", "sentence"),
    [
        (
            0.50,
            0.49,
            10.0,
            6.0,
            "int8",
            "INT8 ships: 6.0 ms against 10.0 ms, and mAP50-95 on val goes from 0.500 to 0.490; "
            "a fall of 0.020 is allowed.",
        ),
        (
            0.50,
            0.47,
            10.0,
            6.0,
            "fp32",
            "fp32 ships: with INT8 mAP50-95 on val goes from 0.500 to 0.470, more than the 0.020 allowed "
            "(6.0 ms against 10.0 ms).",
        ),
        (
            0.50,
            0.51,
            10.0,
            11.0,
            "fp32",
            "fp32 ships: INT8 is no faster, 11.0 ms against 10.0 ms (mAP50-95 on val goes from 0.500 to 0.510).",
        ),
        (None, None, 10.0, 6.0, "fp32", "fp32 ships: there are no val pictures to compare INT8 on."),
    ],
)
def test_the_choice(
    before: float | None, after: float | None, slow: float, fast: float, ships: str, sentence: str
) -> None:
    variants = choose(variant("fp32", before, slow), variant("int8", after, fast), 0.02)
    assert [known.name for known in variants if known.chosen] == [ships]
    assert {known.reason for known in variants} == {sentence}
