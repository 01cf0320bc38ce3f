"""Models: a version with its variants, metrics, lineage and approval state; the signature a device must satisfy."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from lineside.contract.approval import Approval
from lineside.contract.dataset import Box
from lineside.contract.drift import Baseline
from lineside.contract.errors import LinesideError
from lineside.contract.gate import CostRule
from lineside.contract.ids import is_name
from lineside.contract.result import Detection


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """How an image becomes the model's input and its output becomes detections. Travels beside the model file.

    Input tensor: float32 [1, C, input_height, input_width], C = 1 for `grey`, else 3;
    value = (pixel * scale - mean[c]) / std[c], pixel 0..255 in the order `channels` says.
    `letterbox`: "corner" (picture top left, padding right and bottom), "centre", or "stretch" (no padding).
    `input` "uint8": the file takes the pixels as they are, uint8 [1, input_height, input_width, C], and does the rest
    itself; `scale`, `mean` and `std` then say what it does. Absent: float32.
    `engine`: what must run the file, a module of lineside.runtime.engines. Absent: onnxruntime.
    `size_divisor`: the file takes an input of any height and width that are multiples of it, up to input_height and
    input_width. Each picture then gets the smallest of these that it fits into at the same scale: what would be nothing
    but padding is left out. Absent: the input is always input_height x input_width.
    """

    schema: str = "lineside.signature/1"
    head: str  # a module of lineside.runtime.heads: compact, yolox, yolov8, yolov5, ssd, detr, classify
    input_width: int
    input_height: int
    channels: str = "rgb"  # rgb, bgr, grey
    scale: float = 1.0 / 255.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    letterbox: str = "corner"
    pad: int = 114
    labels: tuple[str, ...]
    score_threshold: float = 0.25  # what devices publish; evaluation uses 0.01
    iou_threshold: float = 0.65  # non-maximum suppression, per class
    max_detections: int = 100
    input: str | msgspec.UnsetType = msgspec.UNSET  # uint8; absent in what is older, whose bytes stay the same
    engine: str | msgspec.UnsetType = msgspec.UNSET  # openvino
    size_divisor: int | msgspec.UnsetType = msgspec.UNSET  # pixels: 32

    @property
    def takes_pixels(self) -> bool:
        """Whether the file takes pixels as they are."""
        return self.input == "uint8"

    @property
    def whole(self) -> Signature:
        """The same, always fed with the largest input, padding included."""
        return msgspec.structs.replace(self, size_divisor=msgspec.UNSET)


PREVIOUS_FILE, PREVIOUS_ABOUT = "previous.onnx", "previous.json"
"""The files in a model's component that hold the version before it, and a `PreviousModel`."""


class PreviousModel(msgspec.Struct, frozen=True, kw_only=True):
    """`previous.json` of a model's component: which model version `previous.onnx` is, and how to run it. Devices run
    it on a sample beside the new one; both have the same classes and the same head."""

    name: str
    version: int
    digest: str  # of previous.onnx
    signature: Signature


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """COCO metrics of one variant on one split: `map50` at IoU 0.5, `map` over IoU 0.5..0.95."""

    map50: float
    map: float
    per_class: dict[str, float] = {}  # class -> mAP50-95
    images: int
    boxes: int


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long one image took, on one thread of the worker, turn by turn with fp32: medians over the rounds.

    `low_ms` and `high_ms` are the quartiles over the rounds; `share` is that of fp32's time in the same round, with the
    95 % interval of its median: by it a variant is faster, or is not.
    """

    rounds: int
    ms: float
    low_ms: float
    high_ms: float
    share: float
    share_low: float
    share_high: float


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One optimized file of a model version."""

    name: str  # fp32, fp16, int8, int8-openvino
    digest: str
    size: int
    metrics: dict[str, Metrics] = {}  # split -> metrics, through the runtime
    latency_ms: float | None = None  # median for one image, one thread
    chosen: bool = False
    reason: str = ""  # why it was chosen or not
    signature: Signature | None = None  # how this file is fed; None: as the model version says
    golden: str | None = None  # digest of this file's own golden set
    calibration: tuple[str, ...] = ()  # digests of the pictures its ranges were measured on
    timing: Timing | None = None  # what `latency_ms` is the median of; None in what is older


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """A gate with the numbers it judged: `passed` is whether `value` met `limit`."""

    name: str
    level: str  # BLOCK, WARN
    passed: bool
    value: float
    limit: float
    sentence: str


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model came from."""

    dataset: str | None  # dataset version id
    dataset_digest: str | None
    split_by: str | None
    run: str | None
    trainer: str
    init: str | None  # digest of the weights it started from
    parameters: dict[str, Any]
    seed: int
    code_version: str  # lineside version and digest of the pipeline's code


class ModelState(enum.Enum):
    """Where a model version stands between training and the fleet."""

    CANDIDATE = "candidate"  # passed its gates, not yet on a twin
    GATED_OUT = "gated_out"  # a BLOCK gate said no; can never be approved
    IN_TWIN = "in_twin"  # a twin installs it now
    TWIN_FAILED = "twin_failed"  # the twin could not make it work
    AWAITING_APPROVAL = "awaiting_approval"  # a person must look
    APPROVED = "approved"  # signed: devices may install it
    REJECTED = "rejected"  # a person said no, with a reason
    RETIRED = "retired"  # no longer to be deployed


MODEL_MOVES: dict[ModelState, frozenset[ModelState]] = {
    ModelState.CANDIDATE: frozenset({ModelState.IN_TWIN, ModelState.REJECTED}),
    ModelState.GATED_OUT: frozenset({ModelState.RETIRED}),
    ModelState.IN_TWIN: frozenset({ModelState.AWAITING_APPROVAL, ModelState.TWIN_FAILED, ModelState.REJECTED}),
    ModelState.TWIN_FAILED: frozenset(
        {ModelState.CANDIDATE, ModelState.IN_TWIN, ModelState.REJECTED, ModelState.RETIRED}
    ),
    ModelState.AWAITING_APPROVAL: frozenset({ModelState.CANDIDATE, ModelState.APPROVED, ModelState.REJECTED}),
    ModelState.APPROVED: frozenset({ModelState.RETIRED}),
    ModelState.REJECTED: frozenset({ModelState.RETIRED}),
    ModelState.RETIRED: frozenset(),
}


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What a model found on one test picture, beside what is really there."""

    image: str  # digest
    file_name: str
    width: int  # pixels after EXIF rotation, the frame of every box
    height: int
    truth: tuple[Box, ...]
    detections: tuple[Detection, ...]  # at the signature's score threshold


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """The blob that `RegisterModel.predictions` names: a few test pictures for people to look at."""

    schema: str = "lineside.predictions/1"
    images: tuple[Prediction, ...]


MOST_NAME = 53
"""Characters in a model's name: the names of its components, NAME.model and NAME.inference, must be names too."""


def check_model_name(name: str) -> None:
    """Raises `request.invalid` for no name, `model.name_too_long` for one that its components could not carry."""
    if not is_name(name):
        raise LinesideError("request.invalid", why=f"{name!r} cannot name a model")
    if len(name) > MOST_NAME:
        raise LinesideError("model.name_too_long", name=name, most=MOST_NAME)


class RegisterModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a run registers. Registering the same content again answers with the version that is there."""

    name: str
    signature: Signature
    variants: tuple[Variant, ...]  # exactly one is chosen
    gates: tuple[GateResult, ...]
    lineage: Lineage
    golden: str  # digest of the golden set, see lineside.contract.golden
    baseline: Baseline | None = None
    predictions: str | None = None  # digest of a `Predictions` blob
    evaluation: str | None = None  # digest of a `lineside.contract.evaluation` blob


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model: immutable but for `state` and the approval."""

    name: str
    version: int
    state: ModelState
    digest: str  # of the chosen variant's file: the released digest
    variant: str
    signature: Signature
    variants: tuple[Variant, ...]
    metrics: dict[str, Metrics]  # of the chosen variant, by split
    gates: tuple[GateResult, ...]
    lineage: Lineage
    golden: str
    baseline: Baseline | None = None
    predictions: str | None = None  # digest of a `Predictions` blob
    evaluation: str | None = None  # digest of a `lineside.contract.evaluation` blob
    created_at: str
    decided_at: str | None = None  # approved or rejected
    decided_by: str | None = None
    reason: str = ""
    twin_rollout: str | None = None
    twin_report: str | None = None  # digest of a `TwinReport` blob
    approval: Approval | None = None  # of one version, when somebody was asked to sign it

    @property
    def label(self) -> str:
        """`name:version`, as people write it."""
        return f"{self.name}:{self.version}"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A person's answer to a model, and why; whose answer it is follows from who asks."""

    reason: str = ""


class ImportModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model trained elsewhere: the file (a blob) and how to feed and read it. Starts a run of kind `import`."""

    name: str
    file: str  # digest of the ONNX file
    head: str
    labels: tuple[str, ...]
    dataset: str | None = None  # evaluate on it when given
    feed: dict[str, Any] = {}  # fields of its signature that are not as usual for the head: channels, scale, mean, …
    cost: CostRule | None = None  # choose its score threshold on the dataset's val pictures; None: it stays as it is
