"""How the next model comes, against canned answers: the rule's dataset, the trigger's run, both sets."""

from __future__ import annotations

from msgspec.json import encode
from msgspec.structs import replace

from lineside.cli.demo.drift.retrain import judge, loop_of, wait_for_dataset, wait_for_start
from lineside.cli.demo.scene import Scene
from lineside.cli.demo.story import Release
from lineside.contract.evaluation import Comparison, Estimate
from lineside.contract.loop import Loop
from lineside.contract.model import ModelVersion
from tests.cli import values
from tests.cli.control_plane import CannedControlPlane
from tests.cli.test_evaluate import BLOB, EVALUATION, run_of

NEXT = replace(values.DATASET, id="ds-next", images=240)
FIELD = replace(values.DATASET, id="ds-field", images=24)


def _made(scene: Scene) -> Release:
    variant = replace(values.MODEL.variants[0], name="fp32", digest=values.DIGEST)
    model = replace(values.MODEL, variants=(variant,))
    return Release(scene.root.path, values.DATASET, values.RUN, model, ("a", "b"))


def _loop(scene: Scene, **changes: str) -> Loop:
    loop = Loop(document=loop_of(scene, _made(scene)), created_at="", changed_at="", by="admin")
    return replace(loop, **changes)


def test_the_rule_s_version_is_waited_for_and_made_by_nobody_here(scene: Scene, plane: CannedControlPlane) -> None:
    plane.answers["GET /datasets/metal-tags"] = values.DATASET
    plane.answers["GET /datasets/metal-tags-field"] = FIELD
    scene.plane.tick = lambda: plane.answers.update({"GET /datasets/metal-tags": NEXT})
    assert wait_for_dataset(scene, _made(scene)) == NEXT
    assert {asked.route.split()[0] for asked in plane.asked} == {"GET"}


def test_the_trigger_s_run_is_waited_for_and_started_by_nobody_here(scene: Scene, plane: CannedControlPlane) -> None:
    plane.answers["GET /loops/metal-tags"] = _loop(scene)
    begun = _loop(scene, run="run-7", started_by="drift: brightness on tag-station-2")
    scene.plane.tick = lambda: plane.answers.update({"GET /loops/metal-tags": begun})
    assert wait_for_start(scene, _made(scene)) == begun
    assert {asked.route for asked in plane.asked} == {"GET /loops/metal-tags"}


def test_both_are_held_against_each_other_on_the_field_set_and_on_the_champion_s_own_test_side(
    scene: Scene, plane: CannedControlPlane
) -> None:
    told = Estimate(value=0.25, low=0.2, high=0.3)
    compared = Comparison(
        champion="metal-tags:1",
        digest=values.DIGEST,
        side="field",
        images=24,
        candidate_map=0.70,
        champion_map=0.45,
        map=told,
        map50=told,
    )
    evaluation = encode(replace(EVALUATION, comparisons=(compared,)))
    candidate: ModelVersion = replace(values.MODEL, version=2, evaluation=BLOB)
    plane.answers["POST /models/metal-tags/2/evaluate"] = run_of()
    plane.answers["GET /runs/run-9"] = run_of()
    plane.answers[f"GET /blobs/{BLOB}"] = evaluation
    loop = _loop(scene, run="run-7", started_by="drift: brightness on tag-station-2")
    found = judge(scene, _made(scene), loop, candidate)
    assert (found.champion_field_map, found.candidate_field_map) == (0.45, 0.70)
    assert found.frozen_map_change == round(0.47 - values.MODEL.metrics["test"].map, 4)
    assert (found.run, found.started_by) == ("run-7", "drift: brightness on tag-station-2")
    asked = next(asked.body for asked in plane.asked if asked.route.startswith("POST /models"))
    assert (asked["dataset"], asked["split"]) == (values.DATASET.id, "test")
