"""Everything that takes long to load, loaded once in the server of processes that runs come from."""

from __future__ import annotations

import onnx  # noqa: F401
import onnxruntime  # noqa: F401
import pycocotools.cocoeval  # noqa: F401
import torch  # noqa: F401

import lineside.pipeline.job
import lineside.pipeline.trainers.compact
import lineside.pipeline.trainers.yolox  # noqa: F401
