"""`lineside models evaluate`: a folder or a dataset version goes in, one document comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.contract.dataset import Looked
from lineside.contract.errors import ErrorReport
from lineside.contract.evaluation import ClassScore, Estimate, Evaluated, Evaluation, Side, Slice
from lineside.contract.run import Run, RunRequest, RunState, Step, StepState
from tests.cli import values
from tests.cli.conftest import Command
from tests.cli.control_plane import CannedControlPlane

BLOB = "sha256:" + "e" * 64
TOLD = Estimate(value=0.47, low=0.41, high=0.52)
EVALUATION = Evaluation(
    model=values.DIGEST,
    labels=("scratch",),
    sides=(
        Side(
            name="test",
            dataset=values.DATASET.id,
            images=42,
            boxes=99,
            map50=Estimate(value=0.78, low=0.7, high=0.84),
            map=TOLD,
            classes=(ClassScore(label="scratch", map=TOLD, images=40, boxes=99),),
            slices=(Slice(kind="brightness", name="dark", images=14, boxes=30, map50=TOLD, map=TOLD, low=12, high=80),),
        ),
    ),
    resamples=1000,
)


def run_of(state: RunState = RunState.SUCCEEDED, *, seen: int = 0, split: str = "test") -> Run:
    outputs: dict[str, Any] = {
        "model": "metal-tags:1",
        "digest": values.DIGEST,
        "dataset": values.DATASET.id,
        "split": split,
        "metrics": {"map50": 0.78, "map": 0.47, "per_class": {"scratch": 0.47}, "images": 42, "boxes": 99},
        "evaluation": BLOB,
        "seen": seen,
    }
    done = state is RunState.SUCCEEDED
    return Run(
        id="run-9",
        state=state,
        request=RunRequest(kind="evaluate", model="metal-tags", dataset=values.DATASET.id),
        steps=(
            Step(name="collect", state=StepState.DONE),
            Step(name="score", state=StepState.DONE if done else StepState.FAILED, outputs=outputs if done else {}),
        ),
        created_at=values.AT,
        error=None if done else ErrorReport(code="evaluation.no_common_class", message="It knows other things."),
    )


@pytest.fixture(autouse=True)
def answers(plane: CannedControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plane.answers["POST /models/metal-tags/1/evaluate"] = run_of()
    plane.answers["GET /runs/run-9"] = run_of()
    plane.answers["GET /datasets/metal-tags"] = values.DATASET
    plane.answers["POST /datasets/looks"] = Looked(pictures=0)
    plane.answers[f"GET /blobs/{BLOB}"] = msgspec.json.encode(EVALUATION)


def asked(plane: CannedControlPlane) -> list[Any]:
    return [one.body for one in plane.asked if one.route == "POST /models/metal-tags/1/evaluate"]


def test_a_dataset_version_is_scored_on_its_test_side(lineside: Command, plane: CannedControlPlane) -> None:
    done = lineside("models", "evaluate", "metal-tags", "1", "--data", values.DATASET.id, "--json")
    assert done.status == 0
    told = msgspec.json.decode(done.out, type=Evaluated)
    assert (told.map, told.map50, told.images, told.per_class) == (0.47, 0.78, 42, {"scratch": 0.47})
    assert told.score == EVALUATION
    assert asked(plane) == [{"dataset": values.DATASET.id, "split": "test"}]


def test_people_see_intervals_classes_and_slices(lineside: Command, plane: CannedControlPlane) -> None:
    done = lineside("models", "evaluate", "metal-tags:1", "--data", values.DATASET.name, "--split", "val")
    assert done.status == 0
    for words in ("0.470 (0.410 to 0.520)", "scratch", "brightness dark 12 to 80", "42, with 99 boxes"):
        assert words in done.out
    assert asked(plane)[0]["split"] == "val"
    assert "says nothing" not in done.out


def test_a_folder_is_sent_and_scored_whole(lineside: Command, plane: CannedControlPlane, tmp_path: Path) -> None:
    folder = tmp_path / "line 7!"
    folder.mkdir()
    (folder / "labels.txt").write_text("a label")
    assert lineside("models", "evaluate", "metal-tags:1", "--data", str(folder), "--json").status == 0
    imported = next(one.body for one in plane.asked if one.route == "POST /datasets")
    assert imported["name"] == "line-7-evaluated"
    assert asked(plane) == [{"dataset": values.IMPORT.version.id, "split": "all"}]


def test_pictures_it_learned_from_are_told(lineside: Command, plane: CannedControlPlane) -> None:
    plane.answers["POST /models/metal-tags/1/evaluate"] = run_of(seen=40)
    done = lineside("models", "evaluate", "metal-tags:1", "--data", values.DATASET.id)
    assert "trained or chosen on 40 of these pictures" in " ".join(done.out.split())


def test_a_run_that_failed_says_why_and_what_next(lineside: Command, plane: CannedControlPlane) -> None:
    plane.answers["POST /models/metal-tags/1/evaluate"] = run_of(RunState.FAILED)
    done = lineside("models", "evaluate", "metal-tags:1", "--data", values.DATASET.id)
    assert done.status == 1
    assert "It knows other things." in done.err
    assert "lineside runs show run-9" in done.err


def test_data_that_is_nowhere_is_refused(lineside: Command) -> None:
    done = lineside("models", "evaluate", "metal-tags:1", "--data", "nowhere")
    assert done.status == 1
    assert "nowhere" in done.err
