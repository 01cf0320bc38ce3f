"""A model version as the folder that the runtime loads: model.onnx, signature.json, model.json, golden.zip, and
baseline.json where it has one."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lineside.client.client import Client
from lineside.contract.drift import BASELINE_FILE
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.model import ModelVersion


def fetch_runnable(client: Client, model: ModelVersion, folder: Path) -> Path:
    """Write what devices get of a version. Raises `artifact.digest_mismatch` and what the client raises."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, digest in (("model.onnx", model.digest), ("golden.zip", model.golden)):
        data = client.get_blob(digest)
        if digest_of(data) != digest:
            raise LinesideError("artifact.digest_mismatch", name=name, actual=digest_of(data), expected=digest)
        (folder / name).write_bytes(data)
    identity = {"name": model.name, "version": model.version, "digest": model.digest}
    (folder / "signature.json").write_bytes(msgspec.json.encode(model.signature))
    (folder / "model.json").write_bytes(msgspec.json.encode(identity))
    if model.baseline is not None:
        (folder / BASELINE_FILE).write_bytes(msgspec.json.encode(model.baseline))
    return folder
