"""A model of a few hundred bytes that finds bright squares, pictures for it, and how it is registered."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import onnx

from lineside.client import Client
from lineside.contract.model import Lineage, Metrics, ModelVersion, RegisterModel, Signature, Variant
from lineside.runtime.golden import write_golden
from lineside.runtime.model import load_folder
from tests.runtime.conftest import BRIGHT, SIDE, bright_model, encoded, squares, write_model

_SCORES = Metrics(map50=0.9, map=0.6, per_class={"bright": 0.6}, images=5, boxes=5)


def picture(number: int) -> bytes:
    """A picture with one bright square; each number gives another."""
    return encoded(squares((8 * (number % 7), 8 * (number // 7 % 7))))


def network(variety: str, side: int = SIDE) -> bytes:
    """The ONNX file. Each variety answers the same and has a digest of its own; one with more pixels a `side` needs
    more memory."""
    model = onnx.load_from_string(bright_model(side))
    model.doc_string = variety
    return bytes(model.SerializeToString())


def register(client: Client, name: str, variety: str, run: str | None = None, side: int = SIDE) -> ModelVersion:
    """Send a variety's files and register it as a model that passed its gates."""
    data, signature = network(variety, side), msgspec.structs.replace(BRIGHT, input_width=side, input_height=side)
    digest = client.put_blob(data)
    return client.register_model(
        RegisterModel(
            name=name,
            signature=signature,
            variants=(Variant(name="fp32", digest=digest, size=len(data), metrics={"test": _SCORES}, chosen=True),),
            gates=(),
            lineage=_lineage(run),
            golden=client.put_blob(_golden(data, signature)),
        )
    )


def _golden(data: bytes, signature: Signature) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        model = load_folder(write_model(Path(folder) / "model", signature, data), threads=1)
        target = Path(folder) / "golden.zip"
        write_golden(target, model, {f"{number}.png": picture(number) for number in range(2)})
        return target.read_bytes()


def _lineage(run: str | None) -> Lineage:
    return Lineage(
        dataset=None,
        dataset_digest=None,
        split_by=None,
        run=run,
        trainer="none",
        init=None,
        parameters={},
        seed=0,
        code_version="test",
    )
