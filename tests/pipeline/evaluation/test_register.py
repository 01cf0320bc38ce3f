"""From a scored variant to a registered version: threshold, evaluation, champion, gates, in one process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from onnx import numpy_helper
from PIL import Image

from lineside.contract.dataset import Box, DatasetVersion, ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.evaluation import Evaluation
from lineside.contract.gate import CostRule, GateSpec
from lineside.contract.model import ModelState, ModelVersion, Signature
from lineside.contract.run import RunRequest
from lineside.pipeline.blobs import Blobs
from lineside.pipeline.control import PatientControl
from lineside.pipeline.execute import execute
from lineside.pipeline.kept import Keeper
from lineside.pipeline.reporter import StepReporter
from lineside.pipeline.scoring import score_file
from lineside.pipeline.step import Context, Results
from lineside.pipeline.steps import check, collect, evaluate, register, score, split
from lineside.pipeline.testing import MemoryControl
from tests.pipeline.conftest import PLUGIN

sys.path.append(str(PLUGIN))
from speck_trainer import SIDE, speck_model  # the plug-in is no part of the package

LABELS = ("white", "grey")
SHADES = {"white": 255, "grey": 150}


def detector(*, knows_grey: bool = True) -> bytes:
    """Finds white and grey squares; without `knows_grey` it calls the grey ones white."""
    model = speck_model(len(LABELS))
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor).copy()
        if tensor.name == "weight8":
            array[6] = -1.0 / (3 * 255.0) if knows_grey else 0.0
        elif tensor.name == "bias8":
            array[6] = 1.8 if knows_grey else 0.0
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    data: bytes = model.SerializeToString()
    return data


class Place:
    """A control plane in memory, and a worker's folder to do single steps in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.memory = MemoryControl()
        self.control = PatientControl(self.memory)

    def dataset(self, sides: Sequence[Split], seed: int = 0, *, empty_val: bool = False) -> DatasetVersion:
        """Dark pictures, each with a white and a grey square of 8 pixels; with nothing labelled on val, if asked."""
        records = [self._record(seed * 1000 + n, s) for n, s in enumerate(sides)]
        if empty_val:
            records = [msgspec.structs.replace(r, boxes=()) if r.split is Split.VAL else r for r in records]
        return self.memory.add_dataset(LABELS, tuple(records))

    def _record(self, number: int, split: Split) -> ImageRecord:
        random = np.random.default_rng(number)
        pixels = random.integers(0, 20, (SIDE, SIDE, 3), dtype=np.uint8)
        boxes = []
        for label, cell in zip(LABELS, random.choice(64, size=2, replace=False), strict=True):
            x, y = int(cell % 8) * 8, int(cell // 8) * 8
            pixels[y : y + 8, x : x + 8] = SHADES[label]
            boxes.append(Box(label=label, x=x, y=y, width=8, height=8))
        file = self.root / f"{number}.png"
        Image.fromarray(pixels).save(file)
        return ImageRecord(
            digest=self.memory.add_blob(file.read_bytes()),
            file_name=file.name,
            width=SIDE,
            height=SIDE,
            group=str(number),
            split=split,
            boxes=tuple(boxes),
        )

    def context(self, request: RunRequest, step: str) -> Context:
        run = self.memory.start_run(request)
        folder = self.root / run.id
        return Context(
            run=run.id,
            control=self.control,
            blobs=Blobs(self.root / "blobs", self.control),
            images=Blobs(self.root / "images", self.control),
            folder=folder,
            reporter=StepReporter(self.control, run, step),
            threads=1,
            kept=Keeper(self.control, run.id, folder),
        )

    def registered(self, model: bytes, dataset: DatasetVersion, **request: Any) -> ModelVersion:
        """What an import run registers, by the steps themselves."""
        init = self.memory.add_blob(model)
        asked = RunRequest(kind="import", model="squares", init=init, dataset=dataset.id, **request)
        context = self.context(asked, "register")
        collected = collect.collect(context, collect.Inputs(dataset=dataset.id))
        signature = Signature(
            head="yolox", input_width=SIDE, input_height=SIDE, channels="bgr", scale=1.0, labels=LABELS
        )
        checked = check.Outputs(model=init, size=len(model), signature=signature, run="run-1", code_version="1")
        records = collect.records_of(context, collected.records)
        scored = score_file(context, "fp32", context.blobs.path(init), signature, LABELS, records)
        evaluated = evaluate.Outputs(signature=signature, scored=scored)
        outputs = {"collect": collected, "check": checked, "evaluate": evaluated}
        results = Results({name: msgspec.to_builtins(value) for name, value in outputs.items()})
        outcome = execute(register.STEP, self.memory.run(context.run), results, context)
        assert outcome.error is None, outcome.error
        assert outcome.outputs is not None
        return self.memory.find_model(f"squares:{outcome.outputs['model_version']}")

    def evaluation(self, model: ModelVersion) -> Evaluation:
        assert model.evaluation is not None
        return msgspec.json.decode(self.memory.blobs[model.evaluation], type=Evaluation)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


SIDES = (Split.VAL,) * 4 + (Split.TEST,) * 8


def gates_of(model: ModelVersion) -> dict[str, tuple[str, bool]]:
    return {gate.name: (gate.level, gate.passed) for gate in model.gates}


def test_a_version_brings_its_evaluation(place: Place) -> None:
    model = place.registered(detector(), place.dataset(SIDES))
    told = place.evaluation(model)
    (side,) = told.sides
    assert (side.name, side.images, side.boxes) == ("test", 8, 16)
    assert side.map.value == pytest.approx(model.metrics["test"].map, abs=1e-6) == pytest.approx(1.0)
    assert {one.label for one in side.classes} == set(LABELS)
    assert {one.kind for one in side.slices} == {"group", "brightness", "size"}
    assert (told.model, told.comparisons, told.missed, told.false_alarms) == (model.digest, (), (), ())
    assert told.threshold is not None
    assert told.threshold.value == model.signature.score_threshold == 0.25


def test_the_threshold_of_a_cost_ships_in_the_signature_and_the_golden_set(place: Place) -> None:
    """Noise reaches about 0.08, the grey squares 0.7: the middle between them is chosen."""
    model = place.registered(detector(), place.dataset(SIDES), cost=CostRule(missed=5.0))
    told = place.evaluation(model).threshold
    assert told is not None
    assert (told.missed_cost, told.chosen.cost, told.images) == (5.0, 0.0, 4)
    assert 0.3 < told.value < 0.6
    assert model.signature.score_threshold == told.value
    assert model.lineage.parameters["cost"] == {"missed": 5.0}
    assert model.variants[0].golden == model.golden


@pytest.mark.parametrize(
    ("sides", "empty", "why"),
    [
        ((Split.TEST,) * 8, False, "there are no val pictures"),
        (SIDES, True, "no val picture has an object on it"),
    ],
)
def test_a_cost_that_nothing_can_be_chosen_by_is_told(
    place: Place, sides: tuple[Split, ...], empty: bool, why: str
) -> None:
    model = place.registered(detector(), place.dataset(sides, empty_val=empty), cost=CostRule(missed=5.0))
    told = place.evaluation(model)
    assert (told.threshold, model.signature.score_threshold) == (None, 0.25)
    assert isinstance(told.no_threshold, str)
    assert f"as much as 5 false alarms, but {why}" in told.no_threshold
    said = [step.message for _, step in place.memory.reports if step.name == "register"][-1]
    assert why in said
    assert "0.25 ships" in said


def test_without_a_cost_nothing_is_said_about_one(place: Place) -> None:
    """Evaluations of before have no such field, and keep their bytes."""
    model = place.registered(detector(), place.dataset((Split.TEST,) * 8))
    assert model.evaluation is not None
    assert b"no_threshold" not in place.memory.blobs[model.evaluation]


def test_a_model_worse_than_the_champion_on_one_class_is_stopped_by_name(place: Place) -> None:
    dataset = place.dataset(SIDES)
    place.registered(detector(), dataset)
    place.memory.approve_model("squares", 1)
    model = place.registered(detector(knows_grey=False), dataset)
    assert model.state is ModelState.GATED_OUT
    gates = gates_of(model)
    assert gates["minimum_map"] == ("BLOCK", True)  # half of it is right: enough for that rule
    assert gates["per_class_not_worse/grey"] == ("BLOCK", False)
    assert "per_class_not_worse/white" not in gates
    sentence = next(gate.sentence for gate in model.gates if gate.name == "per_class_not_worse/grey")
    assert "grey" in sentence
    assert "squares:1" in sentence
    told = place.evaluation(model).compared("test")
    assert told is not None
    assert (told.champion, told.champion_map) == ("squares:1", pytest.approx(1.0))
    assert {one.label: round(one.difference.value) for one in told.classes} == {"white": 0, "grey": -1}
    assert len(told.disagreements) == 8
    assert "found by the champion only" in told.disagreements[0].reason
    assert place.evaluation(model).missed[0].reason == "1 of 2 boxes not found"
    assert model.lineage.parameters["champion"] == "squares:1"


def test_the_champion_is_run_once_on_the_same_pictures(place: Place) -> None:
    dataset = place.dataset(SIDES)
    place.registered(detector(), dataset)
    place.memory.approve_model("squares", 1)
    place.registered(detector(knows_grey=False), dataset)
    before = len(place.memory.reports)
    place.registered(detector(knows_grey=False), dataset, gates=(GateSpec(rule="class_floor", limit=0.1),))
    said = [step.message for _, step in place.memory.reports[before:] if step.name == "register"]
    assert not [words for words in said if words.startswith("squares:1 on test")]


def test_a_better_candidate_passes_and_the_champion_s_own_file_is_not_compared(place: Place) -> None:
    dataset = place.dataset(SIDES)
    place.registered(detector(knows_grey=False), dataset)
    place.memory.approve_model("squares", 1)
    same = place.registered(detector(knows_grey=False), dataset)
    assert same.version == 1
    better = place.registered(detector(), dataset)
    assert better.state is ModelState.CANDIDATE
    assert gates_of(better)["not_worse_than_champion"] == ("BLOCK", True)


def test_a_new_champion_makes_another_version_of_the_same_weights(place: Place) -> None:
    """What was judged against another champion is not answered from the cache."""
    dataset = place.dataset(SIDES)
    first = place.registered(detector(knows_grey=False), dataset)
    place.registered(detector(), dataset)
    place.memory.approve_model("squares", 2)
    again = place.registered(detector(knows_grey=False), dataset)
    assert (first.state, again.state) == (ModelState.CANDIDATE, ModelState.GATED_OUT)
    assert (first.digest, again.version) == (again.digest, 3)


def test_the_field_set_is_scored_beside_the_frozen_one(place: Place) -> None:
    dataset = place.dataset(SIDES)
    field = place.dataset((Split.TEST,) * 6, seed=7)
    floor = GateSpec(rule="class_floor", limit=0.5, parameters={"split": "field"})
    model = place.registered(detector(knows_grey=False), dataset, field=field.id, gates=(floor,))
    assert model.metrics["field"].images == 6
    tested = model.metrics["test"].images
    assert model.baseline is not None
    assert model.baseline.images == tested + 6
    side = place.evaluation(model).side("field")
    assert side is not None
    assert (side.dataset, side.left_out) == (field.id, 0)
    assert gates_of(model)["class_floor/grey"] == ("BLOCK", False)


def test_pictures_of_the_field_set_that_it_learned_from_are_left_out(place: Place) -> None:
    dataset = place.dataset((Split.TRAIN,) * 2 + SIDES)
    field = place.dataset((Split.TEST,) * 6)  # the same pictures, from the first one on
    model = place.registered(detector(), dataset, field=field.id)
    side = place.evaluation(model).side("field")
    assert side is not None
    assert (side.images, side.left_out) == (0, 6)


def test_a_cost_without_val_pictures_is_refused_before_the_training(place: Place) -> None:
    dataset = place.dataset((Split.TRAIN, Split.TEST))
    asked = RunRequest(model="squares", dataset=dataset.id, cost=CostRule(missed=5.0))
    context = place.context(asked, "split")
    results = Results({"collect": msgspec.to_builtins(collect.collect(context, collect.Inputs(dataset=dataset.id)))})
    with pytest.raises(LinesideError) as refused:
        split.split(context, split.inputs(asked, results))
    assert refused.value.params["split"] == "val"
    free = msgspec.structs.replace(asked, cost=None)
    assert split.split(context, split.inputs(free, results)).sides["val"].images == 0


def test_targets_judge_what_ships(place: Place) -> None:
    model = place.registered(detector(), place.dataset(SIDES), targets=("raspberry-pi-4",))
    assert gates_of(model)["size/raspberry-pi-4"] == ("WARN", True)
    assert gates_of(model)["latency/raspberry-pi-4"] == ("WARN", False)  # nobody measured it here


# --- scoring a version that is there ----------------------------------------------------------------------------------


def scored(place: Place, dataset: DatasetVersion, version: int = 1, side: str = "test") -> score.Outputs:
    asked = RunRequest(
        kind="evaluate", model="squares", dataset=dataset.id, parameters={"version": version, "split": side}
    )
    context = place.context(asked, "score")
    results = Results({"collect": msgspec.to_builtins(collect.collect(context, collect.Inputs(dataset=dataset.id)))})
    return score.score(context, score.inputs(asked, results))


def test_any_version_is_scored_on_any_pictures(place: Place) -> None:
    place.registered(detector(knows_grey=False), place.dataset(SIDES))
    done = scored(place, place.dataset((Split.TEST,) * 6, seed=3), side="all")
    assert (done.model, done.metrics.images, done.seen) == ("squares:1", 6, 0)
    assert done.metrics.per_class == {"white": pytest.approx(1.0), "grey": 0.0}
    told = msgspec.json.decode(place.memory.blobs[done.evaluation], type=Evaluation)
    assert told.sides[0].map.value == pytest.approx(done.metrics.map, abs=1e-6)
    assert told.sides[0].name == "all"


def test_pictures_it_learned_from_are_counted(place: Place) -> None:
    dataset = place.dataset((Split.TRAIN,) * 3 + SIDES)
    place.registered(detector(), dataset)
    assert scored(place, dataset, side="all").seen == 7
    assert scored(place, dataset).seen == 0


def test_a_side_without_pictures_and_other_classes_are_refused(place: Place) -> None:
    place.registered(detector(), place.dataset(SIDES))
    with pytest.raises(LinesideError) as refused:
        scored(place, place.dataset((Split.VAL,) * 2, seed=4))
    assert refused.value.code == "evaluation.no_pictures"
    with pytest.raises(LinesideError) as refused:
        scored(place, place.dataset(SIDES, seed=5), version=9)
    assert refused.value.code == "request.not_found"
    other = place.memory.add_dataset(("cat",), ())
    with pytest.raises(LinesideError) as refused:
        scored(place, other, side="all")
    assert refused.value.code == "evaluation.no_pictures"
