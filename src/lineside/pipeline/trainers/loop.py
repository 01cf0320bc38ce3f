"""The training loop both built-in trainers share: it can be killed at any moment and goes on after its last epoch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest
from lineside.contract.model import Signature
from lineside.pipeline.trainers import checkpoint
from lineside.pipeline.trainers.average import Average
from lineside.pipeline.trainers.base import Progress, TrainJob
from lineside.pipeline.trainers.batches import Batches
from lineside.pipeline.trainers.detector import Detector
from lineside.pipeline.trainers.init import initialize
from lineside.pipeline.trainers.pictures import load_samples
from lineside.pipeline.trainers.settings import Settings
from lineside.pipeline.trainers.validate import map50

LAST, FINAL = "last.pt", "final.pt"
_FLOOR = 0.05  # of the learning rate at the end
_GRADIENT_LIMIT = 10.0
_INIT_BATCHES = 4  # to measure batch norms that were folded away

Report = Callable[[Progress], None]


def fit(
    name: str,
    make: Callable[[], Detector],
    predictors: tuple[str, ...],
    job: TrainJob,
    settings: Settings,
    signature: Signature,
    report: Report,
) -> Path:
    """Train what `make` builds; `predictors` are the parts that starting weights needn't fit. See `Trainer.train`."""
    _check(job)
    fingerprint = _fingerprint(name, job, settings)
    final = job.workdir / FINAL
    if checkpoint.load_if_of(final, fingerprint) is not None:
        return final
    with _deterministic(job.seed, job.threads):
        training = _Training(make(), job, settings, signature, fingerprint)
        training.begin(predictors, report)
        training.run(report)
        checkpoint.save(final, {"fingerprint": fingerprint, "trainer": name, "net": training.average.net.state_dict()})
    return final


def _check(job: TrainJob) -> None:
    if not job.train:
        raise LinesideError("training.no_images")
    if not any(image.boxes for image in job.train):
        raise LinesideError("training.no_boxes", images=len(job.train))


def _fingerprint(name: str, job: TrainJob, settings: Settings) -> str:
    pictures = [[image.path.name, image.boxes] for image in (*job.train, *job.val)]
    init = None if job.init is None else job.init.name
    return content_digest([name, msgspec.to_builtins(settings), list(job.labels), job.seed, init, pictures])


@contextlib.contextmanager
def _deterministic(seed: int, threads: int) -> Iterator[None]:
    """The same weights for the same seed and number of threads; torch's settings are put back afterwards."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        try:
            torch.manual_seed(seed)
            torch.set_num_threads(threads if threads > 0 else before[0])
            torch.use_deterministic_algorithms(True)
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1])


class _Training:
    """One training between two epochs."""

    def __init__(
        self, detector: Detector, job: TrainJob, settings: Settings, signature: Signature, fingerprint: str
    ) -> None:
        self._detector, self._job, self._settings, self._signature = detector, job, settings, signature
        # pixels before planes: a third faster on the CPU
        detector.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's overloads lack it
        self._fingerprint = fingerprint
        self._val = load_samples(job.val, signature)
        self._train_batches = Batches(load_samples(job.train, signature), settings, signature, job.seed)
        self._val_batches = Batches(self._val, settings, signature, job.seed)
        self._optimizer = torch.optim.AdamW(_parameter_groups(detector.net, settings), lr=settings.learning_rate)
        self.average = Average(detector.net, settings.ema_decay)
        self._epoch = 0

    def begin(self, predictors: tuple[str, ...], report: Report) -> None:
        """Go on after the last epoch on disk, or take the starting weights."""
        last = checkpoint.load_if_of(self._job.workdir / LAST, self._fingerprint)
        if last is not None:
            progress = self._restore(last)
            said = f"going on after epoch {progress.epoch} of {progress.epochs}"
            report(msgspec.structs.replace(progress, message=said))
        elif self._job.init is not None:
            pictures = torch.cat([pictures for pictures, _ in self._train_batches.plain(_INIT_BATCHES)])
            message = initialize(self._detector.net, self._job.init, pictures, predictors)
            self.average = Average(self._detector.net, self._settings.ema_decay)
            report(Progress(epoch=0, epochs=self._settings.epochs, losses={}, val_map50=None, message=message))

    def run(self, report: Report) -> None:
        """The epochs that are left; after each the state is on disk before it is reported."""
        while self._epoch < self._settings.epochs:
            losses = self._train_epoch()
            self._epoch += 1
            exported = self._detector.exported(self.average.net)
            scored = map50(exported, self._val, self._val_batches, self._signature)
            progress = Progress(
                epoch=self._epoch, epochs=self._settings.epochs, losses=losses, val_map50=scored, message=""
            )
            checkpoint.save(self._job.workdir / LAST, self._state(progress))
            report(progress)

    def _train_epoch(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        last = self._epoch >= self._settings.epochs - self._settings.settle_epochs
        self._detector.net.train()
        if last:
            _fix_norms(self._detector.net)
        for step, (pictures, targets) in enumerate(self._train_batches.epoch(self._epoch, last=last)):
            for group in self._optimizer.param_groups:
                group["lr"] = self._rate(self._epoch + step / len(self._train_batches))
            losses = self._detector.losses(self._detector.net(_pixels_first(pictures)), targets, last=last)
            total = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(total):
                raise LinesideError("training.diverged", epoch=self._epoch + 1)
            self._step(total)
            for name, value in {"loss": total, **losses}.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
        return {name: value / len(self._train_batches) for name, value in sums.items()}

    def _step(self, total: torch.Tensor) -> None:
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self._detector.net.parameters(), _GRADIENT_LIMIT)
        self._optimizer.step()
        self.average.update(self._detector.net)

    def _rate(self, epoch: float) -> float:
        """Rising linearly while warming up, then falling along a cosine."""
        warmup, peak = self._settings.warmup_epochs, self._settings.learning_rate
        if epoch < warmup:
            return peak * max(epoch / warmup, 0.01)
        done = (epoch - warmup) / max(self._settings.epochs - warmup, 1e-9)
        return peak * (_FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * done)) / 2)

    def _state(self, progress: Progress) -> dict[str, Any]:
        return {
            "fingerprint": self._fingerprint,
            "progress": msgspec.to_builtins(progress),
            "net": self._detector.net.state_dict(),
            "average": self.average.net.state_dict(),
            "updates": self.average.updates,
            "optimizer": self._optimizer.state_dict(),
        }

    def _restore(self, last: dict[str, Any]) -> Progress:
        progress = msgspec.convert(last["progress"], Progress)
        self._detector.net.load_state_dict(last["net"])
        self.average.net.load_state_dict(last["average"])
        self.average.updates = last["updates"]
        self._optimizer.load_state_dict(last["optimizer"])
        self._epoch = progress.epoch
        return progress


def _fix_norms(net: nn.Module) -> None:
    """Normalize by the running statistics, as the exported model does: those of a small batch differ much from them."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _pixels_first(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.contiguous(memory_format=torch.channels_last)


def _parameter_groups(net: nn.Module, settings: Settings) -> list[dict[str, Any]]:
    """Weights of convolutions decay; biases and batch norms don't."""
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
