"""Measures: every result is counted once, under the file that decided; what nobody registered is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lineside.contract.measure import Measures
from lineside.contract.model import ModelVersion
from lineside.server.devices.store import DeviceRow
from lineside.server.services import Core
from lineside.server.telemetry import measures
from lineside.server.telemetry.adoption import KEPT_HOURS, AdoptionLoop
from lineside.server.telemetry.service import ResultsService
from lineside.server.telemetry.sums import measures_of
from lineside.server.testing import FakeClock
from tests.server.telemetry.models import compared, found, message, register, result


@pytest.fixture
def model(core: Core) -> ModelVersion:
    with core.database.write() as session:
        return register(core, session)


@pytest.fixture
def results(core: Core) -> ResultsService:
    return ResultsService(core)


def measured(core: Core, model: str | None = None, device: str | None = None) -> list[Measures]:
    with core.database.read() as session:
        return measures_of(session, "2020-01-01T00", model, device)


def test_results_come_to_counts_percentiles_and_classes(
    core: Core, results: ResultsService, model: ModelVersion
) -> None:
    both = (found("dent", 0.95), found("scratch", 0.31))
    fast = [result(model, "cam-1", n, *both, latency_ms=10.0) for n in range(90)]
    slow = [result(model, "cam-2", n, latency_ms=100.0, compared=compared(n > 2)) for n in range(10)]
    results.take([message(one) for one in fast])
    results.take([message(one) for one in slow])
    (only,) = measured(core)
    assert (only.model, only.digest, only.devices, only.count, only.without) == ("tags:1", model.digest, 2, 100, 10)
    assert only.classes == {"dent": 90, "scratch": 90}
    assert only.confidences == (0, 0, 0, 90, 0, 0, 0, 0, 0, 90)
    assert (only.compared, only.agreed) == (10, 7)
    assert 10 / 2**0.25 < only.p50_ms < 10 * 2**0.25
    assert 100 / 2**0.25 < only.p95_ms < 100 * 2**0.25
    assert [one.count for one in measured(core, "tags:1", "cam-2")] == [10]
    assert measured(core, "tags:2") == measured(core, "other") == []


def test_what_comes_again_is_counted_once(core: Core, results: ResultsService, model: ModelVersion) -> None:
    ten = [message(result(model, "cam-1", n, found())) for n in range(10)]
    for batch in (ten[:6], ten, [*ten, *ten]):  # QoS 1 may deliver again, within a batch and across
        results.take(batch)
    (only,) = measured(core)
    assert (only.count, only.classes) == (10, {"dent": 10})


def test_files_that_nobody_registered_are_kept_and_not_counted(
    core: Core, results: ResultsService, model: ModelVersion
) -> None:
    results.take([message(result(model, "cam-1", 1, digest="sha256:unheard-of"))])
    assert (results.page(None, None, 9).total, measured(core)) == (1, [])
    with core.database.write() as session:
        later = register(core, session, 2)
    results.take([message(result(later, "cam-1", 2))])
    assert [one.model for one in measured(core)] == ["tags:2"]


def test_a_class_the_model_does_not_have_makes_no_row_of_its_own(
    core: Core, results: ResultsService, model: ModelVersion
) -> None:
    results.take([message(result(model, "cam-1", n, found(f"made up {n}"))) for n in range(50)])
    assert [one.classes for one in measured(core)] == [{measures.OTHER: 50}]


def test_a_latency_beyond_all_measure_is_counted_too(core: Core, results: ResultsService, model: ModelVersion) -> None:
    results.take([message(result(model, "cam-1", n, latency_ms=ms)) for n, ms in enumerate((1e308, -5.0, 0.0))])
    assert [one.count for one in measured(core)] == [3]


def test_a_quarantined_device_is_evidence_for_nothing(core: Core, results: ResultsService, model: ModelVersion) -> None:
    with core.database.write() as session:
        row = DeviceRow(name="cam-1", state="quarantined", twin=False, key="", certificate="", token="", facts={})
        row.joined_at, row.fingerprint = "2026-01-01T00:00:00.000Z", "f"
        session.add(row)
    results.take([message(result(model, device, 1)) for device in ("cam-1", "cam-2")])
    assert [(one.devices, one.count) for one in measured(core)] == [(1, 1)]


def test_hours_are_forgotten_after_two_weeks(
    core: Core, clock: FakeClock, results: ResultsService, model: ModelVersion
) -> None:
    results.take([message(result(model, "cam-1", 1, found()))])
    clock.advance(timedelta(hours=KEPT_HOURS - 1).total_seconds())
    results.take([message(result(model, "cam-1", 2, found()))])
    AdoptionLoop(core).step()
    assert [one.count for one in measured(core)] == [2]
    clock.advance(2 * 3600)
    AdoptionLoop(core).step()
    assert [(one.count, one.classes) for one in measured(core)] == [(1, {"dent": 1})]
