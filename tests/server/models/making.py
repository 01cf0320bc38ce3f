"""Model versions for tests of the registry, and a service that holds them."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.dataset import Box
from lineside.contract.evaluation import (
    ClassDelta,
    ClassScore,
    Comparison,
    Disagreement,
    Estimate,
    Evaluation,
    Mistake,
    Side,
    Slice,
    Threshold,
    ThresholdPoint,
)
from lineside.contract.ids import digest_of
from lineside.contract.model import (
    GateResult,
    Lineage,
    Metrics,
    ModelVersion,
    Prediction,
    Predictions,
    RegisterModel,
    Signature,
    Variant,
)
from lineside.contract.result import Detection
from lineside.server.models.service import ModelsService
from lineside.server.services import Core

GOLDEN = b"golden"
PASSED = GateResult(
    name="minimum_map", level="BLOCK", passed=True, value=0.5, limit=0.4, sentence="mAP of 0.500 reaches the 0.400."
)
TRUTH = (Box(label="dent", x=40, y=30, width=90, height=60), Box(label="scratch", x=150, y=90, width=40, height=30))


def registration(core: Core, number: int = 1, **fields: Any) -> RegisterModel:
    """What registers as another version for each `number`; its blobs are stored."""
    files = [b"fp32 %d" % number, b"int8 %d" % number]
    for data in (*files, GOLDEN):
        core.objects.put(data)
    score = round(0.5 + number / 100, 3)
    per_class = {"dent": score + 0.1, "scratch": score - 0.1}
    metrics = {"test": Metrics(map50=score + 0.3, map=score, per_class=per_class, images=42, boxes=90)}
    lineage = Lineage(
        dataset="ds-1", dataset_digest="sha256:d", split_by="group", run=None, trainer="compact", init=None,
        parameters={"epochs": number, "size": "s"}, seed=0, code_version="1",
    )  # fmt: skip
    values: dict[str, Any] = {
        "name": "tags",
        "signature": Signature(head="compact", input_width=320, input_height=320, labels=("dent", "scratch")),
        "variants": (
            Variant(
                name="fp32", digest=digest_of(files[0]), size=len(files[0]), metrics=metrics, latency_ms=9.5,
                reason="INT8 takes over",
            ),
            Variant(
                name="int8", digest=digest_of(files[1]), size=len(files[1]), metrics=metrics, latency_ms=4.0,
                chosen=True, reason="INT8 ships: it is faster",
            ),
        ),
        "gates": (PASSED,),
        "lineage": lineage,
        "golden": digest_of(GOLDEN),
    }  # fmt: skip
    return RegisterModel(**values | fields)


def register(core: Core, models: ModelsService, number: int = 1, **fields: Any) -> ModelVersion:
    """The version of this number of the model `tags`."""
    return models.register(registration(core, number, **fields))


def put(core: Core, value: msgspec.Struct) -> str:
    """A value as a blob."""
    data = msgspec.json.encode(value)
    core.objects.put(data)
    return digest_of(data)


def found(label: str, confidence: float, x: float = 42, y: float = 31) -> Detection:
    return Detection(label=label, class_index=0, confidence=confidence, x=x, y=y, width=90, height=60)


def predictions(image: str, *detections: Detection) -> Predictions:
    """One test picture of 240 x 160 pixels with what was found there."""
    shown = Prediction(
        image=image, file_name="plate-1.png", width=240, height=160, truth=TRUTH, detections=tuple(detections)
    )
    return Predictions(images=(shown,))


def evaluation(image: str = digest_of(b"picture"), champion: str | None = None, dataset: str = "ds-1") -> Evaluation:
    """An evaluation with one of everything; compared with `champion` when that is given."""
    all_ = Estimate(value=0.51, low=0.42, high=0.58)
    side = Side(
        name="test",
        dataset=dataset,
        images=42,
        boxes=90,
        map50=Estimate(value=0.81, low=0.7, high=0.9),
        map=all_,
        classes=(
            ClassScore(label="dent", map=Estimate(value=0.61, low=0.5, high=0.7), images=30, boxes=60),
            ClassScore(label="scratch", map=Estimate(value=0.41), images=2, boxes=30),
        ),
        slices=(
            Slice(kind="brightness", name="dark", images=14, boxes=30, low=0, high=80,
                  map50=Estimate(value=0.4, low=0.3, high=0.5), map=Estimate(value=0.2, low=0.1, high=0.3)),
            Slice(kind="size", name="small", images=20, boxes=40, map50=all_,
                  map=Estimate(value=0.45, low=0.3, high=0.6)),
        ),
    )  # fmt: skip
    points = tuple(
        ThresholdPoint(threshold=n / 10, missed=n, false_alarms=10 - n, cost=10.0 - n + 2 * n) for n in range(1, 10)
    )
    miss = Mistake(
        image=image, file_name="plate-1.png", width=240, height=160, truth=TRUTH,
        detections=(found("dent", 0.9),), missed=(1,), reason="1 of 2 objects missed",
    )  # fmt: skip
    return Evaluation(
        model=digest_of(b"int8"),
        labels=("dent", "scratch"),
        sides=(side,),
        threshold=Threshold(
            value=0.3, missed_cost=2.0, chosen=points[2], before=points[1], images=40, boxes=80, curve=points
        ),
        missed=(miss,),
        comparisons=() if champion is None else (comparison(image, champion),),
        resamples=1000,
    )


def comparison(image: str, champion: str) -> Comparison:
    """Better than the champion in one class, worse in the other."""
    return Comparison(
        champion=champion,
        digest=digest_of(b"champion"),
        side="test",
        images=42,
        candidate_map=0.51,
        champion_map=0.5,
        map=Estimate(value=0.01, low=-0.02, high=0.04),
        map50=Estimate(value=0.0, low=-0.03, high=0.03),
        classes=(
            ClassDelta(label="dent", candidate=0.61, champion=0.5, difference=Estimate(value=0.11, low=0.05, high=0.2),
                       images=30),
            ClassDelta(label="scratch", candidate=0.41, champion=0.5,
                       difference=Estimate(value=-0.09, low=-0.15, high=-0.02), images=2),
        ),
        disagreements=(
            Disagreement(image=image, file_name="plate-1.png", width=240, height=160, truth=TRUTH,
                         candidate=(found("dent", 0.9),), champion=(found("scratch", 0.6),),
                         reason="only the candidate finds the dent"),
        ),
    )  # fmt: skip
