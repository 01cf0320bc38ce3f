"""The detector someone else trained, on a photograph and on a drawn desk: boxes are where the things are."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from lineside.contract.model import Signature
from lineside.contract.rectangles import iou
from lineside.contract.result import Detection
from lineside.runtime.decode import Picture, decode
from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine
from lineside.runtime.heads import head_of
from lineside.runtime.model import Model, load
from lineside.runtime.preprocess import Preprocessor
from tests.runtime.heads.test_heads import yolox_rows

pytestmark = pytest.mark.real_data
ASTRONAUT = Path(__file__).parent / "images" / "astronaut.jpg"
SCREEN, KEYBOARD = (160, 70, 480, 330), (230, 500, 340, 60)  # x, y, width, height as drawn


@pytest.fixture(scope="module")
def coco(yolox_nano: Path) -> Signature:
    labels = (yolox_nano.parent / "coco_classes.txt").read_text().split("\n")
    return Signature(
        head="yolox",
        input_width=416,
        input_height=416,
        channels="bgr",
        scale=1.0,
        labels=tuple(label for label in labels if label),
        score_threshold=0.3,
        iou_threshold=0.45,
    )


@pytest.fixture(scope="module")
def detector(yolox_nano: Path, coco: Signature) -> Model:
    return load(yolox_nano, coco)


def desk() -> Image.Image:
    """A desk with a screen that shows the astronaut, and a keyboard: drawn, so that anyone may have it."""
    scene = Image.new("RGB", (800, 600), (205, 200, 190))
    pen = ImageDraw.Draw(scene)
    for y in range(430, 600):
        pen.line((0, y, 800, y), fill=(150 - (y - 430) // 6, 110 - (y - 430) // 6, 80 - (y - 430) // 8))
    pen.ellipse((310, 440, 490, 480), fill=(40, 40, 42))
    pen.rectangle((380, 380, 420, 460), fill=(50, 50, 52))
    pen.rounded_rectangle((160, 70, 640, 400), 8, fill=(25, 25, 28))
    scene.paste(Image.open(ASTRONAUT).crop((0, 0, 512, 330)).resize((450, 290)), (175, 85))
    pen.rounded_rectangle((230, 500, 570, 560), 6, fill=(60, 60, 64))
    for row in range(4):
        for column in range(20):
            x, y = 238 + column * 16.3, 504 + row * 13
            pen.rectangle((x, y, x + 12, y + 10), fill=(90, 90, 95))
    return scene.filter(ImageFilter.GaussianBlur(0.7))


def as_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def at(label: str, x: float, y: float, width: float, height: float) -> Detection:
    return Detection(label=label, class_index=0, confidence=1, x=x, y=y, width=width, height=height)


def best(found: list[Detection], label: str) -> Detection:
    return next(each for each in found if each.label == label)


def test_the_person_is_found_where_she_is(detector: Model) -> None:
    (person,) = detector.detect(ASTRONAUT.read_bytes())
    assert person.label == "person"
    assert person.confidence > 0.85
    assert iou(person, at("person", 15, 15, 355, 497)) > 0.9


def test_screen_keyboard_and_the_person_on_the_screen_are_found(detector: Model) -> None:
    found = detector.detect(as_png(desk()))
    assert iou(best(found, "tvmonitor"), at("tvmonitor", *SCREEN)) > 0.85
    assert iou(best(found, "keyboard"), at("keyboard", *KEYBOARD)) > 0.85
    person = best(found, "person")
    assert 160 < person.x < person.x + person.width < 640


@pytest.mark.parametrize(("orientation", "turn"), [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90)])
def test_a_turned_camera_changes_nothing(detector: Model, orientation: int, turn: Image.Transpose) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    desk().transpose(turn).save(buffer, "JPEG", quality=95, exif=exif)
    found = detector.detect(buffer.getvalue())
    assert iou(best(found, "tvmonitor"), at("tvmonitor", *SCREEN)) > 0.85


def test_a_large_jpeg_decoded_small_gives_the_same_boxes(detector: Model) -> None:
    buffer = io.BytesIO()
    desk().resize((3200, 2400), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=92)
    data = buffer.getvalue()
    reduced, full = detector.detect(data), detector.detect(decode(data))
    for label in ("tvmonitor", "keyboard"):
        assert iou(best(reduced, label), best(full, label)) > 0.97
        assert abs(best(reduced, label).confidence - best(full, label).confidence) < 0.05


def test_the_head_decodes_the_real_output_as_published(yolox_nano: Path, coco: Signature) -> None:
    tensor, _ = Preprocessor(coco)(Picture.of(np.asarray(desk())))
    output = OnnxRuntimeEngine(yolox_nano.read_bytes()).run(tensor)
    expected = np.array(yolox_rows(output[0], 416, 416, 0.05))
    found = head_of(coco).candidates(output, 0.05)
    assert np.allclose(found.boxes, expected[:, :4], atol=1e-2)
    assert np.allclose(found.scores, expected[:, 4], atol=1e-6)
    assert found.classes.tolist() == expected[:, 5].astype(int).tolist()


def test_every_image_of_a_real_inbox_is_decided(detector: Model, metal_tags: Path) -> None:
    files = sorted((metal_tags / "inbox").iterdir())
    assert any(path.suffix.startswith(".jpg_") for path in files)
    for path in files:
        assert (detector.detect_timed(path.read_bytes()).picture.width) == 450
