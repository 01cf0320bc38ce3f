"""What components measure is summed up, bounded, and taken once."""

from __future__ import annotations

from lineside.agent.bus.ports import Metric
from lineside.agent.link.measurements import SERIES, Measurements


def metric(name: str, value: float) -> Metric:
    return Metric(name=name, unit="Count", value=value)


def test_a_series_tells_count_mean_and_extremes_and_is_taken_once() -> None:
    measurements = Measurements()
    measurements.add("app", [metric("parts", 1.0), metric("parts", 4.0)])
    measurements.add("other", [metric("parts", 7.0)])
    taken = measurements.take()["metrics"]
    assert taken["app"]["parts"] == {"unit": "Count", "count": 2, "mean": 2.5, "min": 1.0, "max": 4.0, "last": 4.0}
    assert taken["other"]["parts"]["count"] == 1
    assert measurements.take() == {}


def test_series_beyond_the_bound_are_left_out_and_counted() -> None:
    measurements = Measurements()
    measurements.add("app", [metric(f"m{number}", 1.0) for number in range(SERIES + 3)])
    taken = measurements.take()
    assert len(taken["metrics"]["app"]) == SERIES
    assert taken["metrics_left_out"] == 3
