"""A model on this machine: bytes in, detections out. Devices decide with it and the pipeline scores with it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.model import Signature
from lineside.contract.reading import UNREADABLE
from lineside.contract.result import Detection
from lineside.runtime.decode import Picture, decode
from lineside.runtime.engines import Engine, Port, engine_of
from lineside.runtime.engines.options import AS_USUAL, EngineOptions
from lineside.runtime.heads import Candidates, Head, head_of, may_be, order_of
from lineside.runtime.nms import nms
from lineside.runtime.preprocess import Geometry, Preprocessor, input_shape, sizes_of

S = TypeVar("S", bound=msgspec.Struct)

MODEL_FILE, SIGNATURE_FILE, IDENTITY_FILE = "model.onnx", "signature.json", "model.json"


class ModelIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """`model.json` of a model's component: which model version the file beside it is."""

    name: str
    version: int
    digest: str  # of model.onnx


@dataclass(frozen=True, slots=True)
class Inference:
    """One image's way through a model; `latency_ms` is from bytes (or a picture) to detections."""

    detections: list[Detection]
    latency_ms: float
    picture: Picture


class Model:
    """A loaded model. `detect` may be called from any thread; `lanes` calls at once, others wait for their turn."""

    def __init__(self, engine: Engine, head: Head, signature: Signature, identity: ModelIdentity) -> None:
        self.signature = signature
        self.identity = identity
        self.threads, self.lanes = engine.threads, engine.lanes
        self.provider, self.notes = engine.provider, engine.notes
        self._engine = engine
        # What is fed: the largest input to each picture where an engine takes no other.
        self._fed = signature if engine.any_size else signature.whole
        self._heads = {(signature.input_width, signature.input_height): head}  # by the size of the input
        self._idle: SimpleQueue[Preprocessor | None] = SimpleQueue()  # one a lane, made when it is first needed
        for _ in range(self.lanes):
            self._idle.put(None)
        self._inside, self._counting = 0, Lock()
        self._fit = (signature.input_width, signature.input_height)
        self._places: Sequence[int] = range(len(head.wanted))  # of the outputs that the head reads, in its order

    @property
    def digest(self) -> str:
        """`sha256:…` of the model file."""
        return self.identity.digest

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What the file declares it takes."""
        return self._engine.inputs

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of the largest input that pictures are made into."""
        return input_shape(self.signature)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What the file declares it gives."""
        return self._engine.outputs

    def run(self, tensor: NDArray[Any]) -> list[NDArray[np.float32]]:
        """The file's own outputs for its own input tensor, as they are. Raises `model.run_failed`."""
        lane = self._idle.get()
        try:
            return self._engine.run(tensor)
        finally:
            self._idle.put(lane)

    def aside(self) -> AbstractContextManager[None]:
        """While it is entered, the model leaves cores to others, as far as its engine can."""
        return self._engine.aside()

    def detect(self, data: bytes | Picture, *, score_threshold: float | None = None) -> list[Detection]:
        """What the model finds: most confident first, at most `signature.max_detections`, boxes in pixels of the
        upright original and clipped to it. `score_threshold` replaces the signature's.

        Raises `image.unsupported`, `image.unreadable`, `image.too_large`, `image.no_memory`, `model.run_failed`.
        """
        return self.detect_timed(data, score_threshold=score_threshold).detections

    def detect_timed(self, data: bytes | Picture, *, score_threshold: float | None = None) -> Inference:
        """`detect`, with the time it took and the decoded picture."""
        threshold = self.signature.score_threshold if score_threshold is None else score_threshold
        started = time.perf_counter()
        with self._counted_in():
            picture = data if isinstance(data, Picture) else decode(data, self._fit)
            answered, geometry = self._answered(picture)
        outputs = [answered[place] for place in self._places]
        head = self._head_for(geometry.input_width, geometry.input_height)
        detections = self._detections(head.candidates(outputs, threshold), geometry)
        return Inference(detections, (time.perf_counter() - started) * 1e3, picture)

    def _answered(self, picture: Picture) -> tuple[list[NDArray[np.float32]], Geometry]:
        preprocess = self._idle.get() or Preprocessor(self._fed)
        try:
            tensor, geometry = preprocess(picture)
            # The others' images may only be decoded just now: they need a core no less.
            with self._engine.aside() if self._inside > 1 else nullcontext():
                return self._engine.run(tensor), geometry
        finally:
            self._idle.put(preprocess)

    @contextmanager
    def _counted_in(self) -> Iterator[None]:
        with self._counting:
            self._inside += 1
        try:
            yield
        finally:
            with self._counting:
                self._inside -= 1

    def _detections(self, found: Candidates, geometry: Geometry) -> list[Detection]:
        limit = self.signature.max_detections
        kept = nms(found.boxes, found.scores, found.classes, self.signature.iou_threshold, limit)
        boxes = geometry.to_original(found.boxes[kept]).astype(np.float64).round(2)
        labels = self.signature.labels
        return [
            Detection(
                label=labels[kind],
                class_index=kind,
                confidence=round(score, 6),
                x=left,
                y=top,
                width=round(right - left, 2),
                height=round(bottom - top, 2),
            )
            for (left, top, right, bottom), score, kind in zip(
                boxes.tolist(), found.scores[kept].tolist(), found.classes[kept].tolist(), strict=True
            )
            if right > left and bottom > top
        ]

    def _head_for(self, width: int, height: int) -> Head:
        head = self._heads.get((width, height))
        if head is None:
            sized = msgspec.structs.replace(self.signature, input_width=width, input_height=height)
            head = self._heads[width, height] = head_of(sized)
        return head

    def warm_up(self) -> None:
        """An inference on padding for the largest input and the smallest, which also proves that the outputs have the
        shapes the head reads, in any order."""
        for width, height in sizes_of(self._fed):
            answered = self._tried(width, height)
            head = self._head_for(width, height)
            places = order_of(head, [port.name for port in self.outputs], answered)
            if places is None:
                seen = tuple(output.shape for output in answered)
                raise _shape_unknown("output", seen, head.wanted, self.signature)
            self._places = places

    def _tried(self, width: int, height: int) -> list[NDArray[np.float32]]:
        grey = Picture.of(np.full((height, width, 3), self.signature.pad, np.uint8))
        try:
            return self._answered(grey)[0]
        except LinesideError as error:
            if error.code != "model.run_failed" or (width, height) == self._fit:
                raise
            said = f"size_divisor is {self.signature.size_divisor}, and the file takes no input of {width} x {height}"
            raise LinesideError("model.signature_invalid", why=f"{said} ({error.message})") from error


def load(path: Path, signature: Signature, *, threads: int = 0, options: EngineOptions = AS_USUAL) -> Model:
    """A model file with the signature that goes with it, warmed up. `threads` 0 means the cores this process may use.

    Raises `model.missing`, `model.unreadable`, `model.signature_invalid`, `model.head_unknown`, `model.engine_unknown`,
    `model.engine_missing` and, when the file's inputs or outputs are not those of the signature, `model.shape_unknown`.
    """
    data = _read(path)
    return _built(data, signature, ModelIdentity(name=path.stem, version=0, digest=digest_of(data)), threads, options)


def load_folder(folder: Path, *, threads: int = 0, options: EngineOptions = AS_USUAL) -> Model:
    """The model of a component's folder: model.onnx, signature.json, model.json.

    Raises what `load` raises, and `model.digest_mismatch` when model.onnx is not the file that model.json names.
    """
    identity, signature = described(folder)
    data = _read(folder / MODEL_FILE)
    actual = digest_of(data)
    if actual != identity.digest:
        raise LinesideError("model.digest_mismatch", path=folder / MODEL_FILE, actual=actual, expected=identity.digest)
    return _built(data, signature, identity, threads, options)


def described(folder: Path) -> tuple[ModelIdentity, Signature]:
    """What a component's folder says of its model. Raises `model.missing`, `model.description_invalid`."""
    return _parsed(folder / IDENTITY_FILE, ModelIdentity), _parsed(folder / SIGNATURE_FILE, Signature)


def _built(data: bytes, signature: Signature, identity: ModelIdentity, threads: int, options: EngineOptions) -> Model:
    head = head_of(signature)
    engine = engine_of(data, signature, threads, options)
    model = Model(engine, head, signature, identity)
    fill = Preprocessor(signature)
    declared = tuple(port.shape for port in engine.inputs)
    if len(declared) != 1 or engine.inputs[0].element != fill.element or not may_be(declared[0], fill.shape):
        seen = tuple((*port.shape, port.element) for port in engine.inputs)
        wanted = (*fill.shape, fill.element) if signature.takes_pixels else fill.shape
        raise _shape_unknown("input", seen, (wanted,), signature)
    model.warm_up()
    return model


def _shape_unknown(what: str, seen: Sequence[object], wanted: Sequence[object], signature: Signature) -> LinesideError:
    return LinesideError(
        "model.shape_unknown", what=what, seen=_shapes(seen), wanted=_shapes(wanted), head=signature.head
    )


def _shapes(shapes: Sequence[object]) -> str:
    """As people read them: `(1, any, 4) and (1, any, 80)`."""
    return " and ".join(str(shape).replace("None", "any") for shape in shapes) or "none"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LinesideError("model.missing", path=path, why=error.strerror or type(error).__name__) from error


def _parsed(path: Path, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(_read(path), type=kind)
    except UNREADABLE as error:
        raise LinesideError("model.description_invalid", path=path, why=error) from error
