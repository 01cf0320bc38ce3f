"""One contract value of each kind, as a control plane would answer it."""

from __future__ import annotations

from msgspec.structs import replace

from lineside.contract.capture import Capture, CapturePage, CaptureRecord
from lineside.contract.compared import ClassPair, ModelsCompared
from lineside.contract.component import (
    Artifact,
    Component,
    ComponentDetails,
    ComponentKind,
    ComponentUse,
    Signed,
)
from lineside.contract.dataset import Box, Counted, DatasetVersion, ImagePage, ImageRecord, ImportReport, Split
from lineside.contract.dataset_check import (
    Change,
    CheckReport,
    ClassFigures,
    DatasetDiff,
    DatasetStats,
    Example,
    FieldReport,
    Finding,
    Histogram,
    ImageChange,
    JudgedSplit,
    SideFigures,
)
from lineside.contract.dataset_export import ExportListing
from lineside.contract.deployment import ComponentSpec, Deployment
from lineside.contract.desired import DesiredComponent
from lineside.contract.device import Device, DeviceState, JoinToken
from lineside.contract.errors import ErrorReport
from lineside.contract.evaluation import Estimate
from lineside.contract.event import Event, EventPage
from lineside.contract.export import Export, ExportPage, ExportRecord
from lineside.contract.gate import Level
from lineside.contract.group import Group
from lineside.contract.ids import digest_of
from lineside.contract.inquiry import (
    CheckResult,
    Inquiry,
    InquiryAnswer,
    InquiryKind,
    InquiryPart,
    InquiryRequest,
)
from lineside.contract.model import GateResult, Lineage, Metrics, ModelState, ModelVersion, Signature, Variant
from lineside.contract.moves import Moved
from lineside.contract.overview import Need, Overview, Stage
from lineside.contract.registry import Alias, AliasMove, CardEdit, ModelCard
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent, Usage
from lineside.contract.result import Detection, Result, ResultPage, StoredResult
from lineside.contract.rollout import (
    DeviceProgress,
    GateCheck,
    Rollout,
    RolloutDevice,
    RolloutDevicePage,
    RolloutFailure,
    RolloutState,
    WaveCounts,
)
from lineside.contract.run import CurvePoint, Run, RunRequest, RunState, Step, StepState

AT = "2026-11-21T04:01:03.250Z"
DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
REFUSAL = ErrorReport(code="artifact.digest_mismatch", message="The artifact model.onnx is not what was signed.")

DATASET = DatasetVersion(
    id="ds-0123456789ab",
    digest=DIGEST,
    name="metal-tags",
    created_at=AT,
    format="coco",
    origin="photographs",
    images=176,
    boxes=345,
    classes=("scratch",),
    splits={"train": 104, "val": 30, "test": 42},
    groups=20,
    split_by="given",
    warnings=(
        Counted(code="dataset.box_outside", message="Box outside the image, clipped.", count=3, examples=("a.jpg",)),
    ),
)
DATASET_FOLDER = ExportListing(
    dataset=DATASET.id,
    format="yolo",
    files={"images/a b.jpg": digest_of(b"the bytes")},
    warnings=(Counted(code="dataset.group_unsaid", message="No word for groups.", count=1, examples=("a b.jpg",)),),
)
IMPORT = ImportReport(version=DATASET, created=True)
IMAGES = ImagePage(
    images=(
        ImageRecord(
            digest=DIGEST,
            file_name="images/bad/a.jpg",
            width=450,
            height=300,
            group="tag-07",
            split=Split.TEST,
            boxes=(Box(label="scratch", x=1.0, y=2.0, width=30.0, height=4.0),),
        ),
    ),
    offset=0,
    total=42,
)
GATE = GateResult(
    name="test-map", level="BLOCK", passed=True, value=0.47, limit=0.40, sentence="mAP50-95 is 0.470, at least 0.400"
)
RUN = Run(
    id="run-1",
    state=RunState.SUCCEEDED,
    request=RunRequest(model="metal-tags", dataset=DATASET.id, trainer="yolox", init=OTHER),
    steps=(
        Step(name="collect", state=StepState.CACHED, progress=1.0),
        Step(name="train", state=StepState.DONE, progress=1.0, message="10 epochs"),
    ),
    gates=(GATE,),
    model_version=1,
    created_at=AT,
    finished_at=AT,
)
CURVES = [CurvePoint(series="loss", epoch=1, value=3.5), CurvePoint(series="val_map50", epoch=1, value=0.25)]
MODEL = ModelVersion(
    name="metal-tags",
    version=1,
    state=ModelState.AWAITING_APPROVAL,
    digest=DIGEST,
    variant="int8",
    signature=Signature(head="yolox", input_width=320, input_height=320, labels=("scratch",)),
    variants=(
        Variant(name="fp32", digest=OTHER, size=3_600_000, latency_ms=14.2, reason="int8 is as good and smaller"),
        Variant(name="int8", digest=DIGEST, size=1_100_000, latency_ms=9.1, chosen=True, reason="mAP fell by 0.004"),
    ),
    metrics={
        "test": Metrics(map50=0.78, map=0.47, images=42, boxes=83),
        "val": Metrics(map50=0.81, map=0.50, images=30, boxes=55),
    },
    gates=(GATE,),
    lineage=Lineage(
        dataset=DATASET.id,
        dataset_digest=DIGEST,
        split_by="given",
        run="run-1",
        trainer="yolox",
        init=OTHER,
        parameters={"epochs": 10},
        seed=0,
        code_version="0.1.0+abc",
    ),
    golden=OTHER,
    created_at=AT,
)
ALIAS = Alias(
    model="metal-tags", alias="production", version=1, state=ModelState.APPROVED, at=AT, by="ann", why="it holds"
)
COMPARED = ModelsCompared(
    a=MODEL,
    b=replace(MODEL, version=2),
    same_test=True,
    classes=(
        ClassPair(
            label="dent",
            a=Estimate(value=0.5, low=0.4, high=0.6),
            b=Estimate(value=0.4, low=0.3, high=0.5),
            difference=Estimate(value=-0.1, low=-0.15, high=-0.05),
        ),
    ),
)
ALIAS_MOVES = (AliasMove(at=AT, before=None, version=1, by="ann", why="it holds"),)
CARD = ModelCard(
    model="metal-tags", version=1, generated="# metal-tags:1\n\nIt finds marks.\n", notes="Line 4 only.", revision=2
)
CARD_EDITS = (CardEdit(revision=1, at=AT, by="ann", why="asked for", notes="Line 4 only."),)
COMPONENTS = [
    Component(
        name="metal-tags.inference",
        version="0.1.2",
        kind=ComponentKind.APP,
        recipe_digest=DIGEST,
        recipe_size=900,
        artifacts=(Artifact(name="inference.zip", digest=OTHER, size=90_000),),
        created_at=AT,
        staging_target="staging/metal-tags.inference-0.1.2.json",
    ),
    Component(
        name="metal-tags.inference",
        version="0.1.1",
        kind=ComponentKind.APP,
        recipe_digest=DIGEST,
        recipe_size=900,
        artifacts=(Artifact(name="inference.zip", digest=OTHER, size=90_000),),
        created_at=AT,
        target="apps/metal-tags.inference-0.1.1.json",
    ),
    Component(
        name="metal-tags.model",
        version="1.0.0",
        kind=ComponentKind.MODEL,
        recipe_digest=OTHER,
        recipe_size=800,
        artifacts=(Artifact(name="model.onnx", digest=DIGEST, size=1_100_000),),
        created_at=AT,
        target="models/metal-tags.model-1.0.0.json",
        model="metal-tags:1",
    ),
]
DEPLOYMENT = Deployment(
    id="dep-1",
    group="demo-line",
    name="metal-tags:1",
    components={"metal-tags.model": ComponentSpec(component_version="1.0.0")},
    failure_policy="ROLLBACK",
    digest=DIGEST,
    created_at=AT,
    rollout="ro-1",
)
GROUP = Group(
    name="berlin", selector="site=berlin", devices=642, selected=640, created_at=AT, deployments=("deployment-7",)
)

ROLLOUT = Rollout(
    id="ro-1",
    deployment="dep-1",
    group="demo-line",
    state=RolloutState.RUNNING,
    wave=1,
    waves=2,
    counts=(
        WaveCounts(wave=0, name="canary", devices=1, by={"healthy": 1}),
        WaveCounts(wave=1, name="", devices=1, by={"failed": 1}),
    ),
    note="waits for 1 device at work, of 1 in wave 2",
    failures=(
        RolloutFailure(
            devices=3,
            device="tag-station-2",
            error=ErrorReport(
                code="component.broken", message="It failed.", next="See its log: lineside devices logs tag-station-2 x"
            ),
        ),
    ),
    gates=(GateCheck(name="failed-devices", value=0.0, limit=0.2, reported=1, passed=None),),
    history=(Moved(at=AT, current="pending", wanted="running", why="the first wave was told"),),
    created_at=AT,
)
ROLLOUT_DEVICES = RolloutDevicePage(
    devices=(
        RolloutDevice(device="tag-station-1", wave=0, progress=DeviceProgress.HEALTHY),
        RolloutDevice(device="tag-station-2", wave=1, progress=DeviceProgress.FAILED, error=REFUSAL),
    ),
    total=2,
)
COMPONENT = ComponentDetails(
    component=COMPONENTS[2],
    recipe={"ComponentName": "metal-tags.model", "Manifests": [{"Artifacts": []}]},
    signed=(Signed(role="approvers", target="models/metal-tags.model-1.0.0.json", by="ann", at=AT),),
    uses=(ComponentUse(device="tag-station-1", wanted=True, state="FINISHED"),),
)
INQUIRY = Inquiry(id="inquiry-1", request=InquiryRequest(kind=InquiryKind.LOGS), expires_at=AT, ttl_seconds=60.0)
ANSWER = InquiryAnswer(
    id="inquiry-1",
    device="tag-station-1",
    request=InquiryRequest(kind=InquiryKind.LOGS),
    parts=(
        InquiryPart(number=0, text="started\n", checks=(CheckResult(name="disk", ok=True, sentence="There is room."),)),
        InquiryPart(number=1, text="looked \x1b]0;at\x07 a picture\n", done=True),
    ),
    done=True,
    expired=False,
)
JOIN_TOKEN = JoinToken(
    token="lst_secret",
    group="line-1",
    uses=1,
    expires_at=AT,
    twin=False,
    url="https://127.0.0.1:8443",
    ca_sha256="ff" * 32,
)


HOT = ErrorReport(code="device.too_hot", message="cpu is at 92 °C.", next="Look at the device's fan.")


def device(name: str, digest: str = DIGEST, last_seen: str = AT, healthy: bool = True) -> Device:
    """A device that runs the model file `digest`."""
    running = ReportedComponent(
        name="metal-tags.model",
        version="1.0.0",
        recipe_digest=OTHER,
        state=ComponentState.FINISHED,
        artifacts={"model.onnx": digest},
        probe={"golden": "matched"},
        restarts=2,
        usage=Usage(cpu_percent=12.5, memory_bytes=64 << 20),
        limits="cgroup v2",
    )
    report = Report(
        device=name,
        sequence=9,
        at=AT,
        revision=2,
        phase=Phase.HEALTHY,
        running=(running,),
        conditions=(HOT,),
        facts={"disk_free_bytes": 3 << 30, "link": {"kind": "wifi"}},
    )
    return Device(
        name=name,
        state=DeviceState.ACCEPTED,
        twin=False,
        groups=("demo-line",),
        joined_at=AT,
        last_seen=last_seen,
        desired_revision=2,
        healthy=healthy,
        summary="healthy" if healthy else "installing",
        report=report,
        wanted=(
            DesiredComponent(
                name="metal-tags.model",
                version="2.0.0",
                target="models/metal-tags.model-2.0.0.json",
                recipe_digest=DIGEST,
            ),
        ),
    )


RESULT = Result(
    device="tag-station-1",
    model="metal-tags",
    version=1,
    digest=DIGEST,
    image="a[1].jpg_0",
    captured_at=AT,
    sequence=7,
    width=450,
    height=300,
    latency_ms=12.4,
    detections=(Detection(label="scratch", class_index=0, confidence=0.87, x=1.0, y=2.0, width=30.0, height=4.0),),
)
RESULTS = ResultPage(results=(StoredResult(id=5, received_at=AT, result=RESULT),), total=1)
CAPTURE = Capture(
    record=CaptureRecord(
        id="cap-1",
        device="tag-station-1",
        digest=DIGEST,
        size=12_345,
        content_type="image/jpeg",
        strategy="uncertain",
        reason="The best score, 0.41, lies between 0.20 and 0.50.",
        captured_at=AT,
        result=RESULT,
    ),
    requested_at=AT,
    uploaded_at=AT,
)
EXPORT = Export(
    record=ExportRecord(
        id="0f" * 16,
        device="tag-station-1",
        bucket="line-7",
        key="2026/11/21/batch.csv",
        stream="batches",
        sequence=3,
        digest=DIGEST,
        size=12_345,
        claimed_at=AT,
    ),
    requested_at=AT,
    uploaded_at=AT,
)
EXPORTS = ExportPage(exports=(EXPORT,), total=1)
CAPTURES = CapturePage(captures=(CAPTURE,), total=1)
EVENTS = EventPage(
    events=(Event(id=3, at=AT, kind="join.refused", subject="tag-station-9", message="refused", error=REFUSAL),),
    total=1,
)
OVERVIEW = Overview(
    version="0.1.0",
    people_url="http://127.0.0.1:8400",
    device_url="https://127.0.0.1:8443",
    ca_sha256="ff" * 32,
    trust_mode="developer",
    stages=(Stage(name="datasets", count=1, note="176 images"),),
    needs=(
        Need(
            what="metal-tags:1 awaits approval",
            href="/models/metal-tags/1",
            command="lineside models approve metal-tags:1",
        ),
    ),
)

CHECKED = CheckReport(
    dataset=DATASET.id,
    split=JudgedSplit.RANDOM,
    checked_at=AT,
    images=176,
    boxes=345,
    findings=(
        Finding(
            code="check.leak_group",
            level=Level.BLOCK,
            message="A group is on more than one side.",
            count=18,
            images=170,
            examples=(Example(digest=DIGEST, file_name="a.jpg", detail="group tag-07: 3 in train, 1 in test"),),
        ),
    ),
    blocked=True,
)
CLEAN = CheckReport(
    dataset=DATASET.id, split=JudgedSplit.OWN, checked_at=AT, images=176, boxes=345, findings=(), blocked=False
)
BINS = Histogram(edges=(0.0, 16.0), counts=(3, 9))
STATS = DatasetStats(
    dataset=DATASET.id,
    classes=(ClassFigures(label="scratch", boxes=345, images={"train": 100, "val": 30, "test": 40}),),
    sides=(SideFigures(side=Split.TRAIN, images=104, boxes=200, empty=4, groups=12),),
    sources={"person": 340, "unreviewed": 5},
    pictures={"450x300": 176},
    box_sizes=BINS,
    box_shares=BINS,
    boxes_an_image=BINS,
    brightness=BINS,
    groups=20,
    largest_group=22,
    ungrouped=0,
)
DIFF = DatasetDiff(
    before=DATASET,
    after=DATASET,
    classes_added=("rust",),
    classes_removed=(),
    counts={"added": 0, "removed": 0, "labels": 0, "side": 1},
    changes=(
        ImageChange(
            change=Change.SIDE, digest=DIGEST, file_name="a.jpg", detail="train to test", width=450, height=300
        ),
    ),
    offset=0,
    total=1,
)
FIELD = FieldReport(version=DATASET, created=True, added=7, left_out={"time unknown": 2})
