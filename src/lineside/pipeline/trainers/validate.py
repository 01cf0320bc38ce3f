"""The score of a network while it trains: its output read by the very head a device uses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.contract.model import Signature
from lineside.contract.result import Detection
from lineside.pipeline.metrics import score
from lineside.pipeline.trainers.batches import Batches
from lineside.pipeline.trainers.pictures import Sample
from lineside.runtime.heads import Head, head_of
from lineside.runtime.nms import nms

_SCORE_THRESHOLD = 0.01


@torch.inference_mode()
def map50(
    net: nn.Module, samples: Sequence[Sample], batches: Batches, signature: Signature, device: torch.device
) -> float | None:
    """mAP at IoU 0.5 of an exported network on samples, in the input's pixels; None without samples."""
    if not samples:
        return None
    head, net = head_of(signature), net.to(device)
    outputs = [row.cpu().numpy() for pictures, _ in batches.plain() for row in net(pictures.to(device))]
    found = {str(number): _detections(head, output, signature) for number, output in enumerate(outputs)}
    records = [_record(number, sample, signature) for number, sample in enumerate(samples)]
    return score(records, signature.labels, found).map50


def _record(number: int, sample: Sample, signature: Signature) -> ImageRecord:
    boxes = tuple(
        Box(label=signature.labels[int(kind)], x=left, y=top, width=right - left, height=bottom - top)
        for kind, left, top, right, bottom in sample.boxes.tolist()
    )
    height, width = sample.pixels.shape[:2]
    name = str(number)
    return ImageRecord(digest=name, file_name=name, width=width, height=height, split=Split.VAL, boxes=boxes)


def _detections(head: Head, output: NDArray[np.float32], signature: Signature) -> list[Detection]:
    found = head.candidates([output[None]], _SCORE_THRESHOLD)
    kept = nms(found.boxes, found.scores, found.classes, signature.iou_threshold, signature.max_detections)
    return [
        Detection(
            label=signature.labels[kind],
            class_index=kind,
            confidence=score,
            x=left,
            y=top,
            width=right - left,
            height=bottom - top,
        )
        for (left, top, right, bottom), score, kind in zip(
            found.boxes[kept].tolist(), found.scores[kept].tolist(), found.classes[kept].tolist(), strict=True
        )
    ]
