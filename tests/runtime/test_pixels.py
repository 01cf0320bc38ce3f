"""A file that takes pixels as they are: uint8 [1, H, W, C], in the signature's order of colours."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest
from lineside.contract.model import Signature
from lineside.runtime.decode import Picture
from lineside.runtime.model import load, load_folder
from lineside.runtime.preprocess import CHANNELS, LETTERBOXES, Preprocessor
from tests.runtime.conftest import BRIGHT, SIDE, bright_model, encoded, squares, write_model

PIXELS = msgspec.structs.replace(BRIGHT, input="uint8")


def pixel_model() -> bytes:
    """`bright_model` with the conversion in the graph."""
    model = onnx.load_from_string(bright_model())
    nodes = [
        helper.make_node("Cast", ["pixels"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["values"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["planes", "share"], ["images"]),
    ]
    model.graph.initializer.append(helper.make_tensor("share", TensorProto.FLOAT, [], [1 / 255.0]))
    for place, node in enumerate(nodes):
        model.graph.node.insert(place, node)
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, SIDE, SIDE, 3]))
    return onnx.ModelProto.SerializeToString(model)


def test_it_finds_what_the_other_form_finds(tmp_path: Path) -> None:
    plain = load_folder(write_model(tmp_path / "plain"), threads=1)
    pixels = load_folder(write_model(tmp_path / "pixels", PIXELS, pixel_model()), threads=1)
    picture = encoded(squares((24, 40), (8, 8)))
    found = pixels.detect(picture)
    assert len(found) == 2
    assert found == plain.detect(picture)


@pytest.mark.parametrize("letterbox", LETTERBOXES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_the_pixels_are_those_that_the_float_tensor_is_made_of(letterbox: str, channels: str) -> None:
    plain = Signature(
        head="compact",
        input_width=48,
        input_height=32,
        labels=("a",),
        letterbox=letterbox,
        channels=channels,
        scale=1.0,
    )
    fill, raw = Preprocessor(plain), Preprocessor(msgspec.structs.replace(plain, input="uint8"))
    rng = np.random.default_rng(0)
    for size in ((40, 90, 3), (90, 40, 3), (32, 48, 3)):  # the padding of one must not shine through in the next
        picture = Picture.of(rng.integers(0, 256, size, np.uint8))
        wanted, there = fill(picture)
        got, where = raw(picture)
        assert (got.dtype, got.shape) == (np.uint8, (1, 32, 48, wanted.shape[1]))
        assert where == there
        assert (got.transpose(0, 3, 1, 2) == wanted).all()


@pytest.mark.parametrize(
    ("signature", "data", "words"),
    [
        (PIXELS, bright_model(), "uint8"),
        (BRIGHT, pixel_model(), "uint8"),
        (msgspec.structs.replace(PIXELS, channels="grey"), pixel_model(), "(1, 64, 64, 1, 'uint8')"),
    ],
)
def test_the_other_form_of_file_is_refused(tmp_path: Path, signature: Signature, data: bytes, words: str) -> None:
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(LinesideError) as caught:
        load(tmp_path / "model.onnx", signature)
    assert caught.value.code == "model.shape_unknown"
    assert words in caught.value.message


@pytest.mark.parametrize("change", [{"input": "int4"}, {"pad": 300}])
def test_a_signature_that_cannot_be_followed_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(LinesideError, match=r"model\.signature_invalid"):
        Preprocessor(msgspec.structs.replace(PIXELS, **change))


def test_a_signature_of_before_keeps_its_bytes_and_its_name() -> None:
    signature = Signature(
        head="yolox", input_width=320, input_height=224, channels="bgr", scale=1.0, labels=("scratch",)
    )
    assert 'input"' not in msgspec.json.encode(signature).decode()
    assert content_digest(signature) == "sha256:df8ce6a6f3acc960fa9c95be81554e2662436e5f2987fb81ab95559bbd521e7d"
    assert content_digest(msgspec.structs.replace(signature, input="uint8")) != content_digest(signature)
    assert msgspec.json.decode(msgspec.json.encode(PIXELS), type=Signature) == PIXELS
