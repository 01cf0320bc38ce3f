"""The step as a run does it, on pictures of squares and on small networks: what is made, scored, chosen and said."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.golden import GoldenSet
from lineside.contract.model import Metrics, Signature, Timing, Variant
from lineside.contract.run import RunRequest
from lineside.pipeline import evidence
from lineside.pipeline.blobs import Blobs
from lineside.pipeline.control import PatientControl
from lineside.pipeline.kept import Keeper
from lineside.pipeline.optimize.building import PICTURES, Made, calibration, half, tensors
from lineside.pipeline.optimize.choice import Rules, with_timing
from lineside.pipeline.optimize.ladder import Ladder, Rung, climb
from lineside.pipeline.optimize.pixels import folded
from lineside.pipeline.quantize import Quantizer
from lineside.pipeline.reporter import StepReporter
from lineside.pipeline.scoring import score_file
from lineside.pipeline.step import Context
from lineside.pipeline.steps import optimize
from lineside.pipeline.testing import MemoryControl
from lineside.pipeline.timing import timing
from lineside.runtime.model import load
from tests.pipeline.conftest import PLUGIN, SIDE, squares
from tests.pipeline.optimize.nets import chain, pictures, planes_of

sys.path.append(str(PLUGIN))
from speck_trainer import speck_model  # the plug-in is no part of the package

SIGNATURE = Signature(head="yolox", input_width=SIDE, input_height=SIDE, channels="bgr", scale=1.0, labels=("square",))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    memory = MemoryControl()
    control = PatientControl(memory)
    run = memory.start_run(RunRequest(model="squares"))
    return Context(
        run=run.id,
        control=control,
        blobs=Blobs(tmp_path / "blobs", control),
        images=Blobs(tmp_path / "images", control),
        folder=tmp_path / "run",
        reporter=StepReporter(control, run, "optimize"),
        threads=1,
        kept=Keeper(control, run.id, tmp_path / "run"),
    )


def records_of(context: Context, splits: tuple[Split, ...]) -> list[ImageRecord]:
    found = []
    for number, split in enumerate(splits):
        data, boxes = squares(number)
        digest = context.images.put(data)
        found.append(
            ImageRecord(
                digest=digest,
                file_name=f"{number}.png",
                width=SIDE,
                height=SIDE,
                group=str(number),
                split=split,
                boxes=boxes,
            )
        )
    return found


def test_ranges_are_measured_on_the_whole_input_with_its_padding(context: Context) -> None:
    (record,) = records_of(context, (Split.TRAIN,))[:1]
    wide = msgspec.structs.replace(SIGNATURE, input_width=2 * SIDE, size_divisor=32)
    (tensor,) = tensors(context, wide, [record])
    assert tensor.shape == (1, 3, SIDE, 2 * SIDE)


SPLITS = (Split.TRAIN,) * 3 + (Split.VAL,) * 2 + (Split.TEST,) * 2


def given(
    context: Context,
    splits: tuple[Split, ...] = SPLITS,
    model: onnx.ModelProto | None = None,
    signature: Signature = SIGNATURE,
    **change: object,
) -> optimize.Inputs:
    records = records_of(context, splits)
    file = context.blobs.path(context.blobs.put((model or speck_model(1)).SerializeToString()))
    return optimize.Inputs(
        records=context.blobs.put_value(records),
        classes=("square",),
        signature=signature,
        fp32=score_file(context, "fp32", file, signature, ("square",), records),
        rules=Rules(max_drop=0.02),
        **change,  # type: ignore[arg-type]
    )


def test_each_variant_is_scored_timed_and_says_how_it_is_fed(context: Context) -> None:
    inputs = given(context, openvino=True)
    done = optimize.optimize(context, inputs)
    variants = {one.variant.name: one.variant for one in done.variants}
    assert list(variants) == ["fp32", "fp16", "int8", "int8-openvino"]
    train = tuple(r.digest for r in context.blobs.value(inputs.records, list[ImageRecord]) if r.split is Split.TRAIN)
    for name, variant in variants.items():
        assert variant.latency_ms
        assert variant.reason
        assert set(variant.metrics) == {"val", "test"}
        assert variant.calibration == (train if name.startswith("int8") else ())
        fed = variant.signature or SIGNATURE
        assert fed.engine == ("openvino" if name == "int8-openvino" else msgspec.UNSET)
        load(context.blobs.path(variant.digest), fed, threads=1)
    assert sum(variant.chosen for variant in variants.values()) == 1
    assert variants["fp16"].metrics["test"].map50 == pytest.approx(1.0)


def test_only_files_of_the_version_are_sent(context: Context) -> None:
    """The other form of each file, and rungs that were left, stay on this disk, and go when the step ends."""
    control = context.control.impatient  # type: ignore[attr-defined]
    inputs = given(context)
    before = set(control.blobs)
    done = optimize.optimize(context, inputs)
    files = {one.variant.digest for one in done.variants[1:]}
    assert len(files) == 2
    assert set(control.blobs) - before == files | {one.found for one in done.variants} - before
    assert not [left for left in context.blobs.folder.iterdir() if left.is_dir()]


def test_without_training_pictures_nothing_is_quantized_and_it_says_so(context: Context) -> None:
    done = optimize.optimize(context, given(context, (Split.VAL,) * 2 + (Split.TEST,) * 2))
    variants = {one.variant.name: one.variant for one in done.variants}
    assert list(variants) == ["fp32", "fp16"]
    assert "no picture to calibrate the INT8 model on" in variants["fp32"].reason


def test_a_file_that_takes_pixels_already_is_quantized_as_it_is(context: Context) -> None:
    model, signature = folded(speck_model(1), SIGNATURE)
    inputs = given(context, model=model, signature=signature)
    variants = {one.variant.name: one.variant for one in optimize.optimize(context, inputs).variants}
    assert list(variants) == ["fp32", "fp16", "int8"]
    assert variants["int8"].signature == signature
    assert variants["int8"].metrics["val"].images == 2


def test_a_model_that_cannot_be_quantized_ships_as_it_is_and_says_why(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph of an operator that quantization stumbles over."""

    def stumble(*_: object, **__: object) -> None:
        raise ValueError("the node Odd has no kernel")

    monkeypatch.setattr("lineside.pipeline.quantize.quantize_static", stumble)
    done = optimize.optimize(context, given(context))
    variants = {one.variant.name: one.variant for one in done.variants}
    assert list(variants) == ["fp32", "fp16"]
    assert "the node Odd has no kernel" in variants["fp32"].reason


def test_calibration_is_spread_over_the_training_pictures(context: Context) -> None:
    (record,) = records_of(context, (Split.TRAIN,))
    many = [msgspec.structs.replace(record, file_name=str(number)) for number in range(3 * PICTURES)]
    found = [int(one.file_name) for one in calibration(many)]
    assert (len(found), found[0], found[-1]) == (PICTURES, 0, 3 * (PICTURES - 1))
    assert len(calibration(many[:5])) == 5


def test_a_half_file_is_fed_with_pixels(context: Context, tmp_path: Path) -> None:
    (tmp_path / "fp32.onnx").write_bytes(speck_model(1).SerializeToString())
    made = half(tmp_path / "fp32.onnx", SIGNATURE, squares(0)[0], tmp_path)
    assert made.signature.takes_pixels
    assert "with pixels as its input" in made.words


@pytest.mark.parametrize(
    ("variant", "wider"), [("fp32", False), ("fp16", False), ("int8", True), ("int8-openvino", True)]
)
def test_the_golden_set_of_int8_allows_what_other_processors_round_otherwise(
    context: Context, tmp_path: Path, variant: str, wider: bool
) -> None:
    (tmp_path / "fp32.onnx").write_bytes(speck_model(1).SerializeToString())
    model = load(tmp_path / "fp32.onnx", SIGNATURE, threads=1)
    with zipfile.ZipFile(context.blobs.path(evidence.golden(context, model, [], {}, variant))) as archive:
        golden = msgspec.json.decode(archive.read("golden.json"), type=GoldenSet)
    usual = GoldenSet(cases=())
    assert (golden.min_iou < usual.min_iou) is wider
    assert (golden.max_confidence_gap > usual.max_confidence_gap) is wider


# --- the ladder ---------------------------------------------------------------------------------------------------


Measured = Callable[[int], tuple[float, float]]
"""mAP50-95 on val and milliseconds of a rung, by how many layers of the three are in float."""


def climbed(context: Context, folder: Path, measured: Measured) -> tuple[list[int], str]:
    """How many layers each rung that was tried keeps in float, and the last one's words. fp32 scores 0.5 in 10 ms."""
    file = chain(folder / "fp32.onnx")
    fp32 = with_timing(Variant(name="fp32", digest="sha256:0", size=9, metrics={"val": _val(0.5)}), _took(10.0))
    tried: list[int] = []

    def attempt(context: Context, ladder: Ladder, data: bytes) -> Rung:
        nodes = onnx.load_from_string(data).graph.node
        kept = [n for n in nodes if n.op_type == "Conv" and not n.input[1].endswith("DequantizeLinear_Output")]
        tried.append(len(kept) - 1)  # the tail always is in float
        score, latency = measured(tried[-1])
        rung = with_timing(msgspec.structs.replace(fp32, name="int8", metrics={"val": _val(score)}), _took(latency))
        return Rung(Made(name="int8", file=file, signature=SIGNATURE, words="As it is."), fp32, rung)

    quantizer = Quantizer(file, [planes_of(one) for one in pictures(4)], folder)
    ladder = Ladder(
        name="int8",
        fp32=fp32,
        file=file,
        signature=SIGNATURE,
        fed=SIGNATURE,
        classes=("square",),
        records=[],
        picture=b"",
        rules=Rules(max_drop=0.02),
        folder=folder,
    )
    return tried, climb(context, quantizer, ladder, attempt).words


def _took(milliseconds: float) -> Timing:
    return timing([milliseconds] * 9, [10.0] * 9)


def _val(score: float) -> Metrics:
    return Metrics(map50=1.0, map=score, images=5, boxes=5)


def test_all_layers_are_enough_when_they_are(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried, words = climbed(context, tmp_path, lambda kept: (0.49, 5.0))
    assert tried == [0]
    assert words == "With all layers in INT8: As it is."


def test_layers_go_back_to_float_until_it_is_good_enough(context: Context, tmp_path: Path) -> None:
    tried, words = climbed(context, tmp_path, lambda kept: (0.3 + 0.1 * (2 * kept), 5.0 + kept))
    assert tried == [0, 1]
    assert words.startswith("With all layers in INT8: mAP50-95 on val goes from 0.500 to 0.300")
    assert words.endswith("With 1 of 3 layers in float: As it is.")


def test_a_rung_that_is_no_quicker_is_the_last(context: Context, tmp_path: Path) -> None:
    """Layers in float only make it slower."""
    tried, _ = climbed(context, tmp_path, lambda kept: (0.1, 11.0))
    assert tried == [0]


def test_when_no_rung_passes_the_last_one_is_left_to_the_choice(context: Context, tmp_path: Path) -> None:
    tried, _ = climbed(context, tmp_path, lambda kept: (0.1, 5.0))
    assert tried == [0, 1, 2]
