"""Twins as a person starts them: real agents under a profile, a real model that passes there, or does not."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import msgspec
import pytest

from lineside.contract.approval import TwinReport, shortfalls
from lineside.contract.model import Decision, ModelState, ModelVersion
from lineside.contract.twin import PROFILES, TwinState
from tests.e2e import processes, tiny
from tests.e2e.plant import MODEL, Plant
from tests.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plant")]


def after_its_test(plant: Plant, model: ModelVersion) -> ModelVersion:
    """The model once its twin test is over."""

    def over() -> ModelVersion | None:
        found = plant.client.model(model.name, model.version)
        return found if found.state not in (ModelState.CANDIDATE, ModelState.IN_TWIN) else None

    return eventually(over)


def report_of(plant: Plant, model: ModelVersion) -> TwinReport:
    assert model.twin_report is not None
    return msgspec.json.decode(plant.client.get_blob(model.twin_report), type=TwinReport)


def twin(plant: Plant, *words: str) -> dict[str, object]:
    """`lineside twin …` to its end; the JSON that it prints."""
    done = processes.run("lineside.cli", "twin", *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_model_passes_on_a_twin_is_updated_and_rolled_back_there_and_a_slow_one_fails(tmp_path: Path) -> None:
    with Plant(tmp_path) as plant:
        folder = tmp_path / "twins"
        start = ("start", "--folder", str(folder), "--url", plant.client.url, "--root", str(plant.root))
        started = twin(plant, *start, "--profile", "raspberry-pi-4", "--detach")
        try:
            (one,) = started["twins"]  # type: ignore[misc]
            first = after_its_test(plant, tiny.register(plant.client, MODEL, "first"))
            assert first.state is ModelState.AWAITING_APPROVAL, plant.client.twin_test(MODEL, 1)
            plant.client.approve_model(MODEL, 1, Decision())

            second = after_its_test(plant, tiny.register(plant.client, MODEL, "second"))
            report = report_of(plant, second)
            assert shortfalls(report) == ()
            (outcome,) = report.twins
            assert (outcome.profile, outcome.limits) == ("raspberry-pi-4", one["limits"])
            assert report.before.keys() == {f"{MODEL}.model", f"{MODEL}.inference"}
            assert report.before[f"{MODEL}.model"] != report.recipes[f"{MODEL}.model"]
            checks = {check.name: check for check in outcome.checks}
            assert checks[f"latency p95 of {MODEL}.inference"].limit == 1000.0
            assert checks[f"peak memory of {MODEL}.inference"].value > 10
            assert [run.name for run in outcome.tests] == ["latency"]
            assert b"latency_ms" in plant.client.get_blob(outcome.tests[0].output)
        finally:
            assert twin(plant, "stop", "--folder", str(folder))["pid"] == started["pid"]
        eventually(lambda: processes.about(folder) == {})

        strict = msgspec.structs.replace(PROFILES["generic-x86"], name="impossible", latency_p95_ms=0.001)
        (tmp_path / "strict.json").write_bytes(msgspec.json.encode(strict))
        words = ("lineside.cli", "twin", *start, "--name", "twin-raspberry-pi-4", "--profile")
        running = processes.start((*words, str(tmp_path / "strict.json")), tmp_path / "logs" / "twins.log")
        third = after_its_test(plant, plant.client.retest_model(MODEL, 2, Decision(reason="another profile")))
        assert third.state is ModelState.TWIN_FAILED
        assert "the limit is 0.001 ms" in report_of(plant, third).why
        assert plant.client.twin_test(MODEL, 2).state is TwinState.FAILED

        running.send_signal(signal.SIGKILL)  # what a killed one leaves does not block the next start
        running.wait()
        eventually(lambda: not processes.about(folder))
        again = twin(plant, *start, "--name", "twin-raspberry-pi-4", "--profile", "raspberry-pi-4", "--detach")
        assert again["twins"][0]["device"] == one["device"]  # type: ignore[index]
        twin(plant, "stop", "--folder", str(folder))
