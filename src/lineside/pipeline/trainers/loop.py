"""The training loop both built-in trainers share: it can be killed at any moment and goes on after its last epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

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
from lineside.pipeline.trainers.budget import Budget
from lineside.pipeline.trainers.detector import Detector
from lineside.pipeline.trainers.init import initialize
from lineside.pipeline.trainers.machine import device_of, repeatable
from lineside.pipeline.trainers.pictures import load_samples
from lineside.pipeline.trainers.settings import Settings, invalid
from lineside.pipeline.trainers.validate import map50

LAST, FINAL = "last.pt", "final.pt"
_TRAIN, _VAL = "train.pixels", "val.pixels"  # decoded pictures, as long as the training lasts
_FLOOR = 0.05  # of the learning rate at the end
_GRADIENT_LIMIT = 10.0
_INIT_BATCHES = 4  # to measure batch norms that were folded away

Report = Callable[[Progress], None]


class Parts(NamedTuple):
    """Beginnings of the names of a network's tensors: the `predictors`, which starting weights needn't fit, and the
    `backbone`, which may stay frozen."""

    predictors: tuple[str, ...]
    backbone: tuple[str, ...]


def fit(
    name: str,
    make: Callable[[], Detector],
    parts: Parts,
    job: TrainJob,
    settings: Settings,
    signature: Signature,
    report: Report,
) -> Path:
    """Train what `make` builds. See `Trainer.train`."""
    _check(job, settings)
    fingerprint = _fingerprint(name, job, settings)
    final = job.workdir / FINAL
    if checkpoint.load_if_of(final, fingerprint) is not None:
        return final
    device = device_of(settings.device)
    with repeatable(job.seed, job.threads, device):
        training = _Training(make(), job, settings, signature, fingerprint, device)
        training.begin(parts, report)
        training.run(report)
        checkpoint.save(final, {"fingerprint": fingerprint, "trainer": name, "net": training.result()})
        for pixels in (_TRAIN, _VAL):
            (job.workdir / pixels).unlink(missing_ok=True)
    return final


def _check(job: TrainJob, settings: Settings) -> None:
    if settings.freeze and job.init is None:
        raise invalid("freeze", settings.freeze, "without starting weights there is nothing worth keeping")
    if not job.train:
        raise LinesideError("training.no_images")
    if not any(image.boxes for image in job.train):
        raise LinesideError("training.no_boxes", images=len(job.train))


def _fingerprint(name: str, job: TrainJob, settings: Settings) -> str:
    pictures = [[image.path.name, image.boxes] for image in (*job.train, *job.val)]
    init = None if job.init is None else job.init.name
    return content_digest([name, msgspec.to_builtins(settings), list(job.labels), job.seed, init, pictures])


class _Training:
    """One training between two epochs."""

    def __init__(
        self,
        detector: Detector,
        job: TrainJob,
        settings: Settings,
        signature: Signature,
        fingerprint: str,
        device: torch.device,
    ) -> None:
        self._budget = Budget(settings)
        self._detector, self._job, self._settings, self._signature = detector, job, settings, signature
        # pixels before planes: a third faster on the CPU
        detector.net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's overloads lack it
        self._fingerprint, self._device = fingerprint, device
        self._val = load_samples(job.val, signature, job.workdir / _VAL)
        train = load_samples(job.train, signature, job.workdir / _TRAIN)
        self._train_batches = Batches(train, settings, signature, job.seed)
        self._val_batches = Batches(self._val, settings, signature, job.seed)
        self._frozen: list[nn.Module] = []
        self._start_over()
        self._epoch = 0
        self._best: dict[str, Any] = {"epoch": 0, "score": -1.0}

    def _start_over(self) -> None:
        """An optimizer and an average for the network's present weights."""
        groups = _parameter_groups(self._detector.net, self._settings)
        self._optimizer = torch.optim.AdamW(groups, lr=self._settings.learning_rate, fused=True)
        self.average = Average(self._detector.net, self._settings.ema_decay)

    def begin(self, parts: Parts, report: Report) -> None:
        """Go on after the last epoch on disk, or take the starting weights."""
        if self._settings.freeze:
            self._frozen = _freeze(self._detector.net, parts.backbone)
            self._start_over()
        last = checkpoint.load_if_of(self._job.workdir / LAST, self._fingerprint)
        if last is not None:
            progress = self._restore(last)
            said = f"going on after epoch {progress.epoch} of {progress.epochs}"
            report(msgspec.structs.replace(progress, message=said))
        elif self._job.init is not None:
            pictures = torch.cat([pictures for pictures, _ in self._train_batches.plain(_INIT_BATCHES)])
            message = initialize(self._detector.net, self._job.init, pictures.to(self._device), parts.predictors)
            self._start_over()
            report(Progress(epoch=0, epochs=self._budget.epochs, losses={}, val_map50=None, message=message))

    def run(self, report: Report) -> None:
        """The epochs that are left; after each the state is on disk before it is reported."""
        while not self._budget.is_over(self._epoch) and not self._is_patience_over():
            losses = self._train_epoch()
            self._epoch += 1
            exported = self._detector.exported(self.average.net)
            scored = map50(exported, self._val, self._val_batches, self._signature, self._device)
            self._remember(scored)
            self._budget.passed()
            progress = Progress(
                epoch=self._epoch, epochs=self._budget.epochs, losses=losses, val_map50=scored, message=""
            )
            checkpoint.save(self._job.workdir / LAST, self._state(progress))
            report(progress)

    def result(self) -> dict[str, torch.Tensor]:
        """The averaged weights: the last ones, or with `patience` those that scored best."""
        best: dict[str, torch.Tensor] | None = self._best.get("net")
        return self.average.net.state_dict() if best is None else best

    def _remember(self, scored: float | None) -> None:
        if self._settings.patience and scored is not None and scored > self._best["score"]:
            weights = {name: tensor.clone() for name, tensor in self.average.net.state_dict().items()}
            self._best = {"epoch": self._epoch, "score": scored, "net": weights}

    def _is_patience_over(self) -> bool:
        limit = self._settings.patience
        return bool(limit and self._job.val and self._epoch - self._best["epoch"] >= limit)

    def _train_epoch(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        last = self._budget.is_last(self._epoch)
        self._detector.net.train()
        for module in [self._detector.net] if last else self._frozen:
            _fix_norms(module)
        for step, (pictures, targets) in enumerate(self._train_batches.epoch(self._epoch, last=last)):
            for group in self._optimizer.param_groups:
                group["lr"] = self._rate(self._epoch + step / len(self._train_batches))
            raw = self._detector.net(_pixels_first(pictures.to(self._device)))
            losses = self._detector.losses(raw, [one.to(self._device) for one in targets], last=last)
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
        done = self._budget.share(epoch, warmup)
        return peak * (_FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * done)) / 2)

    def _state(self, progress: Progress) -> dict[str, Any]:
        return {
            "fingerprint": self._fingerprint,
            "progress": msgspec.to_builtins(progress),
            "net": self._detector.net.state_dict(),
            "average": self.average.net.state_dict(),
            "updates": self.average.updates,
            "optimizer": self._optimizer.state_dict(),
            "budget": self._budget.state(),
            "best": self._best,
        }

    def _restore(self, last: dict[str, Any]) -> Progress:
        progress = msgspec.convert(last["progress"], Progress)
        self._detector.net.load_state_dict(last["net"])
        self.average.net.load_state_dict(last["average"])
        self.average.updates = last["updates"]
        self._optimizer.load_state_dict(last["optimizer"])
        self._budget.restore(last["budget"])
        self._best = last["best"]
        self._epoch = progress.epoch
        return progress


def _freeze(net: nn.Module, names: tuple[str, ...]) -> list[nn.Module]:
    """Takes modules of these names out of training, and answers with them."""
    found = [net.get_submodule(name) for name in names]
    for module in found:
        module.requires_grad_(False)
    return found


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
