"""What pages draw lies where the numbers say, and mistakes are found by the plain rule."""

from __future__ import annotations

import pytest

from lineside.contract.compared import CurvePair
from lineside.contract.dataset import Box
from lineside.contract.evaluation import Estimate
from lineside.contract.model import GateResult, Metrics, Variant
from lineside.contract.rectangles import iou
from lineside.server.models import drawing
from lineside.server.models.mistakes import Mistakes, mistakes
from tests.server.models.making import TRUTH, evaluation, found


def test_estimates_lie_between_the_ends() -> None:
    assert drawing.span(Estimate(value=0.5, low=0.25, high=0.75)) == drawing.Span(50, 25, 75)
    assert drawing.span(Estimate(value=-0.1), -0.2, 0.2) == drawing.Span(25, None, None)
    assert drawing.span(Estimate(value=9)) == drawing.Span(100, None, None)
    assert drawing.span(None) is None


@pytest.mark.parametrize(
    ("value", "limit"), [(0.5, 0.4), (0.3, 0.4), (-0.02, 0.02), (0.0, 0.0), (-3.0, -1.0), (1e9, 1e-9)]
)
def test_a_gate_is_on_the_right_side_of_its_limit(value: float, limit: float) -> None:
    drawn = drawing.gate(GateResult(name="x", level="BLOCK", passed=True, value=value, limit=limit, sentence=""))
    assert all(0 <= at <= 100 for at in drawn)
    assert (drawn.value > drawn.limit) == (value > limit)
    assert (drawn.value < drawn.zero) == (value < 0)


def test_curves_share_their_axes() -> None:
    (chart,) = drawing.curves([CurvePair(series="loss", a=((1, 4.0), (3, 2.0)), b=((2, 1.0),))])
    assert (chart.left, chart.right, chart.bottom, chart.top) == (1, 3, 0, 4)
    assert [(line.name, line.points, line.last) for line in chart.lines] == [
        ("a", "0.0,0.0 320.0,70.0", 2.0),
        ("b", "160.0,105.0", 1.0),
    ]


def test_the_chosen_threshold_lies_on_its_curve() -> None:
    chosen = evaluation().threshold
    chart = drawing.threshold(chosen)
    assert chart is not None
    assert [line.name for line in chart.lines] == ["cost", "missed", "false alarms"]
    marks = {name: f"{x:.1f},{y:.1f}" for name, x, y in chart.marks}
    cost = chart.lines[0].points.split()
    assert (marks["chosen"], marks["before"]) == (cost[2], cost[1])
    assert drawing.threshold(None) is None
    least = drawing.cheapest(chosen)
    assert least is not None
    assert chosen is not None
    assert least.cost == min(point.cost for point in chosen.curve)


def test_the_ladder_goes_from_small_to_large_and_says_what_was_lost() -> None:
    def variant(name: str, size: int, score: float, latency: float | None) -> Variant:
        scored = {"val": Metrics(map50=0.9, map=score, images=3, boxes=3)}
        return Variant(name=name, digest="sha256:0", size=size, metrics=scored, latency_ms=latency)

    small, large = drawing.ladder([variant("fp32", 400, 0.5, 8.0), variant("int8", 100, 0.48, None)])
    assert (small.variant.name, small.size, small.time, round(small.lost or 0, 6)) == ("int8", 25, None, 0.02)
    assert (large.variant.name, large.size, large.time, large.lost) == ("fp32", 100, 100, None)
    assert drawing.ladder([]) == []


def test_mistakes_are_boxes_nobody_found_and_detections_of_nothing() -> None:
    assert mistakes(TRUTH, ()) == Mistakes((0, 1), ())
    assert mistakes(TRUTH, (found("dent", 0.9),)) == Mistakes((1,), ())
    assert mistakes(TRUTH, (found("scratch", 0.9),)) == Mistakes((0, 1), (0,))  # the class is another
    assert mistakes(TRUTH, (found("dent", 0.5), found("dent", 0.9))) == Mistakes((1,), (0,))  # found once
    assert mistakes((), (found("dent", 0.5),)) == Mistakes((), (0,))


def test_intersection_over_union() -> None:
    one = Box(label="a", x=0, y=0, width=10, height=10)
    assert iou(one, one) == 1
    assert iou(one, Box(label="a", x=5, y=0, width=10, height=10)) == pytest.approx(1 / 3)
    assert iou(one, Box(label="a", x=20, y=0, width=10, height=10)) == 0
    assert iou(Box(label="a", x=0, y=0, width=0, height=0), Box(label="a", x=0, y=0, width=0, height=0)) == 0
