"""A small house with everything in it, filled through the same APIs that people, workers and devices use."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
from PIL import Image

from lineside.client import Client
from lineside.client.folder import upload_folder
from lineside.contract.capture import CaptureRecord, Ticket
from lineside.contract.dataset import Box, ImageRecord
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.desired import Desired
from lineside.contract.device import JoinRequest
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
from lineside.contract.reported import ComponentState, ReportedComponent
from lineside.contract.result import Detection, Result
from lineside.contract.run import CurvePoint, Run, RunFinish, RunRequest, RunState, StepReport, StepState
from lineside.server.testing import Running, until
from lineside.server.testing_device import TestDevice, make_csr, make_key
from lineside.server.twins.testing import answer_twins

WIDTH, HEIGHT = 240, 160
FOUND = Detection(label="scratch", class_index=0, confidence=0.87, x=40, y=30, width=90, height=60)
METRICS = {
    "test": Metrics(map50=0.81, map=0.5, images=3, boxes=3),
    "val": Metrics(map50=0.84, map=0.52, images=3, boxes=3),
}


def picture(seed: int) -> bytes:
    """A grey plate with one bright scratch where `FOUND` says it is."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(130, 8, (HEIGHT, WIDTH)).clip(0, 255).astype(np.uint8)
    for step in range(90):
        pixels[30 + step * 60 // 90, 40 + step] = 250
    out = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(out, "PNG")
    return out.getvalue()


def labelled_folder(folder: Path) -> Path:
    """Nine pictures of three plates with COCO labels."""
    (folder / "images").mkdir(parents=True)
    images: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for number in range(9):
        name = f"plate-{number}.png"
        (folder / "images" / name).write_bytes(picture(number))
        split = ("train", "val", "test")[number // 3]
        images.append(
            {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT, "group": number // 3, "split": split}
        )
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": [40, 30, 90, 60]})
    document = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "scratch"}]}
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


class House:
    """The control plane with one of each noun."""

    def __init__(self, lineside: Running, folder: Path) -> None:
        self.lineside, self.client = lineside, Client(lineside.people_url)
        self.dataset = upload_folder(self.client, labelled_folder(folder), "plates").version
        self.run = self._run()
        self.model = self._model()
        self.twin = TestDevice.join(lineside, "twin-1", twin=True)
        self.deliver(self.twin, lambda: self._state() == "awaiting_approval")

    def _state(self) -> str:
        return self.client.model(self.model.name, self.model.version).state.value

    def tick(self) -> None:
        """Let every background loop take a step."""
        for loop in self.lineside.apps.loops:
            loop.step()

    def deliver(self, device: TestDevice, done: Callable[[], bool]) -> None:
        """Loops go on and the device reports that it runs what it should, until `done`."""

        def step() -> bool:
            self.tick()
            desired = device.get("/desired").json()
            wanted = msgspec.convert(desired, Desired)
            running = tuple(
                ReportedComponent(
                    name=one.name,
                    version=one.version,
                    recipe_digest=one.recipe_digest,
                    state=ComponentState.RUNNING,
                    probe={"golden": "matched"},
                )
                for one in wanted.components
            )
            device.report(revision=wanted.revision, running=running, facts={"arch": "x86_64", "memory_mb": 4096})
            answer_twins(self.lineside.core)
            return done()

        until(step)

    def _run(self) -> Run:
        run = self.client.start_run(RunRequest(model="plates", dataset=self.dataset.id, trainer="compact"))
        self.client.claim_run("tests")
        curve = tuple(
            CurvePoint(series=series, epoch=epoch, value=value / epoch)
            for epoch in range(1, 9)
            for series, value in (("loss/box", 4.0), ("loss/class", 2.0), ("val_map50", 0.1 * epoch * epoch))
        )
        for step in run.steps:
            done = msgspec.structs.replace(step, state=StepState.DONE, progress=1.0, message=f"{step.name} is done")
            self.client.report_step(run.id, StepReport(step=done, curve=curve if step.name == "train" else ()))
        return run

    def _model(self) -> ModelVersion:
        images = self.client.dataset_images(self.dataset.id, split="test").images
        gate = GateResult(
            name="minimum_map", level="BLOCK", passed=True, value=0.5, limit=0.4, sentence="0.500 of 0.400"
        )
        model = self.client.register_model(
            RegisterModel(
                name="plates",
                signature=Signature(head="compact", input_width=320, input_height=320, labels=("scratch",)),
                variants=(self._variant("fp32", b"weights" * 999, chosen=True), self._variant("int8", b"w" * 999)),
                gates=(gate,),
                lineage=Lineage(
                    dataset=self.dataset.id,
                    dataset_digest=self.dataset.digest,
                    split_by="given",
                    run=self.run.id,
                    trainer="compact",
                    init=None,
                    parameters={"epochs": 8},
                    seed=0,
                    code_version="0.1.0",
                ),
                golden=self.client.put_blob(b"golden"),
                predictions=self.client.put_blob(msgspec.json.encode(predictions(images))),
            )
        )
        finish = RunFinish(state=RunState.SUCCEEDED, gates=(gate,), model_version=model.version)
        self.client.finish_run(self.run.id, finish)
        return model

    def _variant(self, name: str, data: bytes, *, chosen: bool = False) -> Variant:
        digest = self.client.put_blob(data)
        reason = "fp32 ships: INT8 lost 0.050 mAP50-95" if chosen else "lost too much"
        return Variant(
            name=name, digest=digest, size=len(data), metrics=METRICS, latency_ms=9.5, chosen=chosen, reason=reason
        )

    def deploy(self) -> TestDevice:
        """Join a device and roll the approved model out to it."""
        device = TestDevice.join(self.lineside, "station-1", group="line-1")
        released = {one.name: ComponentSpec(component_version=one.version) for one in self.client.components()}
        deployment = self.client.deploy(DeploymentDocument(group_name="line-1", components=released))
        self.deliver(device, lambda: self.client.rollout(deployment.rollout).state.value == "succeeded")
        return device

    def see(self, device: TestDevice) -> Result:
        """The device decides about one picture, publishes it, and keeps it."""
        data = picture(100)
        result = Result(
            device=device.name,
            model="plates",
            version=1,
            digest=self.model.digest,
            image="part-1.png",
            captured_at="2026-01-01T00:00:00.000Z",
            sequence=1,
            width=WIDTH,
            height=HEIGHT,
            latency_ms=12.5,
            detections=(FOUND,),
        )
        self.lineside.apps.on_result(device.name, msgspec.json.encode(result))
        record = CaptureRecord(
            id="capture-1",
            device=device.name,
            digest=digest_of(data),
            size=len(data),
            content_type="image/png",
            strategy="uncertain",
            reason="confidence 0.44 lies between 0.20 and 0.50",
            captured_at=result.captured_at,
            result=result,
        )
        ticket = msgspec.json.decode(device.post("/captures", record).content, type=Ticket)
        device.request("PUT", ticket.url.removeprefix("/device/v1"), content=data).raise_for_status()
        return result

    def refuse_a_join(self) -> None:
        """Somebody tries a token that was never made."""
        key = make_key()
        request = JoinRequest(token="lsj_never-made", name="intruder", csr=make_csr(key, "intruder"))
        httpx.post(f"{self.lineside.device_url}/device/v1/join", content=msgspec.json.encode(request))


def predictions(images: tuple[ImageRecord, ...]) -> Predictions:
    """What the model is said to have found on the test pictures."""
    truth = (Box(label="scratch", x=40, y=30, width=90, height=60),)
    return Predictions(
        images=tuple(
            Prediction(
                image=one.digest, file_name=one.file_name, width=WIDTH, height=HEIGHT, truth=truth, detections=(FOUND,)
            )
            for one in images
        )
    )
