"""Models that can be told apart by their answers: each sees bright squares, and calls them by its own name."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from onnx import ModelProto

from lineside.contract.ids import digest_of
from lineside.runtime.golden import write_golden
from lineside.runtime.model import load_folder
from tests.runtime.conftest import BRIGHT, bright_model, encoded, squares, write_model

PICTURE = encoded(squares((24, 40)))
GOLDEN = {"one.png": PICTURE, "none.png": encoded(squares())}


def versioned(folder: Path, version: int, *, golden: bool = True, **signature: object) -> Path:
    """A component's folder of version `version`, whose label is `v<version>`; its model file is its own, too."""
    wanted = msgspec.structs.replace(BRIGHT, labels=(f"v{version}",), **signature)
    proto = ModelProto.FromString(bright_model())
    proto.doc_string = f"version {version}"
    data = proto.SerializeToString()
    write_model(folder, wanted, data)
    (folder / "model.json").write_text(json.dumps({"name": "bright", "version": version, "digest": digest_of(data)}))
    if golden:
        write_golden(folder / "golden.zip", load_folder(folder, threads=1), GOLDEN)
    return folder


def damaged(folder: Path, version: int) -> Path:
    """As `versioned`, with one byte of the model changed."""
    versioned(folder, version)
    data = bytearray((folder / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.onnx").write_bytes(data)
    return folder


def forgetful(folder: Path, version: int) -> Path:
    """As `versioned`, with a golden set on which nothing is to be found."""
    versioned(folder, version)
    blind = versioned(folder / "blind", version, golden=False, score_threshold=2.0)
    write_golden(folder / "golden.zip", load_folder(blind, threads=1), GOLDEN)
    return folder
