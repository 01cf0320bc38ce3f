"""A checkpoint to an ONNX file."""

from __future__ import annotations

from pathlib import Path

import msgspec
from torch import nn

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.pipeline.export import export_onnx
from lineside.pipeline.notes import SIGNATURE_NOTE
from lineside.pipeline.trainers import checkpoint as checkpoints
from lineside.runtime.preprocess import CHANNELS, sizes_of


def export_checkpoint(
    checkpoint: Path, net: nn.Module, exported: nn.Module, signature: Signature, target: Path
) -> None:
    """Load the checkpoint into `net` and export `exported`, which is built on it.

    Errors: training.checkpoint_unreadable, export.differs.
    """
    try:
        net.load_state_dict(checkpoints.load(checkpoint)["net"])
    except checkpoints.UNREADABLE as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise LinesideError("training.checkpoint_unreadable", file=checkpoint.name, why=why) from error
    planes = len(CHANNELS[signature.channels])
    sizes = [(1, planes, height, width) for width, height in sizes_of(signature)]
    export_onnx(exported.eval(), sizes, target, {SIGNATURE_NOTE: msgspec.json.encode(signature).decode()})
