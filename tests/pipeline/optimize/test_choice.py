"""Which variant ships, and the sentences that say why."""

from __future__ import annotations

import pytest

from lineside.contract.model import Metrics, Timing, Variant
from lineside.pipeline.optimize.choice import Rules, choose, in_doubt, with_timing

RULES = Rules(max_drop=0.02)


def variant(name: str, val: float | None, latency: float, size: int, reason: str = "", doubt: float = 0.0) -> Variant:
    """A variant whose share of fp32's 10 ms is known but for `doubt` to either side."""
    scores = {} if val is None else {"val": Metrics(map50=0.9, map=val, images=30, boxes=60)}
    share = latency / 10.0
    told = Timing(
        rounds=9,
        ms=latency,
        low_ms=latency,
        high_ms=latency,
        share=share,
        share_low=share - doubt,
        share_high=share + doubt,
    )
    made = Variant(name=name, digest="sha256:0", size=size, metrics=scores, reason=reason)
    return with_timing(made, told)


def chosen(*others: Variant, val: float | None = 0.5, rules: Rules = RULES) -> tuple[str, dict[str, str]]:
    """The name of what ships, and everybody's reason."""
    told = choose((variant("fp32", val, 10.0, 400), *others), rules)
    (ships,) = (one.name for one in told if one.chosen)
    return ships, {one.name: one.reason for one in told}


def test_the_smallest_that_passes_ships() -> None:
    ships, reasons = chosen(variant("fp16", 0.5, 10.2, 200), variant("int8", 0.49, 6.0, 100, "With all layers."))
    assert ships == "int8"
    assert reasons == {
        "fp32": "Not chosen: int8 passes and is smaller (100 against 400 bytes).",
        "fp16": "Not chosen: int8 passes and is smaller (100 against 200 bytes).",
        "int8": "int8 ships, the smallest that passes: 6.0 ms against 10.0 ms (0.60 of its time, 0.60 to 0.60, in 9 "
        "rounds), mAP50-95 on val from 0.500 to 0.490; a fall of 0.020 is allowed. With all layers.",
    }


@pytest.mark.parametrize(
    ("int8", "sentence"),
    [
        (
            variant("int8", 0.47, 6.0, 100),
            "Not chosen: mAP50-95 on val goes from 0.500 to 0.470, more than the 0.020 allowed "
            "(6.0 ms against 10.0 ms (0.60 of its time, 0.60 to 0.60, in 9 rounds)).",
        ),
        (
            variant("int8", 0.51, 11.0, 100),
            "Not chosen: it is no faster, 11.0 ms against 10.0 ms (1.10 of its time, 1.10 to 1.10, in 9 rounds) "
            "(mAP50-95 on val goes from 0.500 to 0.510).",
        ),
        (variant("int8", None, 6.0, 100), "Not chosen: there are no val pictures to compare it on."),
    ],
)
def test_one_that_does_not_pass_says_why_and_the_next_rung_ships(int8: Variant, sentence: str) -> None:
    ships, reasons = chosen(variant("fp16", 0.5, 10.0, 200), int8)
    assert (ships, reasons["int8"]) == ("fp16", sentence)


def test_fp32_ships_when_nothing_else_passes_and_repeats_why() -> None:
    ships, reasons = chosen(variant("fp16", 0.4, 10.0, 200), variant("int8", 0.5, 9.9, 100))
    assert ships == "fp32"
    assert reasons["fp32"].startswith(
        "fp32 ships: nothing smaller passes (fp16: mAP50-95 on val goes from 0.500 to 0.400, more than the 0.020 "
    )
    assert "; int8: it is no faster, 9.9 ms against 10.0 ms" in reasons["fp32"]


@pytest.mark.parametrize(
    ("latency", "doubt", "ships"), [(9.0, 0.04, "int8"), (9.0, 0.06, "fp32"), (9.6, 0.06, "fp32"), (9.6, 0.0, "fp32")]
)
def test_noise_chooses_nothing(latency: float, doubt: float, ships: str) -> None:
    """0.95 of fp32's time at most is wanted: one that may take more is timed on, and does not ship while it may."""
    int8 = variant("int8", 0.5, latency, 100, doubt=doubt)
    assert int8.timing is not None
    assert in_doubt("int8", int8.timing) is (doubt == 0.06)
    assert chosen(int8)[0] == ships
    reason = chosen(int8)[1]["int8"]
    assert ("it may be no faster: what is measured leaves that in doubt" in reason) is ((latency, doubt) == (9.0, 0.06))


def test_of_two_as_small_the_first_ships_unless_the_other_is_quicker_beyond_doubt() -> None:
    first, doubtful = variant("int8", 0.5, 6.0, 100, doubt=0.1), variant("int8-openvino", 0.5, 5.0, 100, doubt=0.1)
    assert chosen(first, doubtful)[0] == "int8"
    ships, reasons = chosen(first, variant("int8-openvino", 0.5, 4.0, 100))
    assert ships == "int8-openvino"
    assert "as small, and no slower as far as times tell (4.0 ms against 6.0 ms)" in reasons["int8"]


def test_without_val_pictures_fp32_ships() -> None:
    ships, reasons = chosen(variant("int8", None, 6.0, 100), val=None)
    assert ships == "fp32"
    assert "no val pictures" in reasons["fp32"]


def test_a_target_must_be_met() -> None:
    rules = Rules(max_drop=0.02, latency_ms={"raspberry-pi-4": 8.0, "generic-x86": 5.0})
    int8, openvino = variant("int8", 0.5, 6.0, 100), variant("int8-openvino", 0.5, 4.5, 101)
    ships, reasons = chosen(int8, openvino, rules=rules)
    assert ships == "int8-openvino"
    assert reasons["int8"] == "Not chosen: it takes 6.0 ms, and generic-x86 allows 5 ms."


def test_only_fp32() -> None:
    assert chosen() == ("fp32", {"fp32": "fp32 ships: nothing smaller was made."})
