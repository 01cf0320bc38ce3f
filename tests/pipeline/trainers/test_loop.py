from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lineside.contract.errors import LinesideError
from lineside.pipeline.trainers import checkpoint
from lineside.pipeline.trainers.base import Progress, TrainImage, trainer
from lineside.runtime.model import load
from tests.pipeline.trainers.conftest import SMALL, MakeJob


class Killed(Exception):
    """Stands for the power going in the middle of a training."""


def weights(file: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = checkpoint.load(file)["net"]
    return found


def ignore(_: Progress) -> None: ...


@pytest.mark.parametrize("name", ["compact", "yolox"])
def test_a_killed_training_goes_on_and_ends_the_same(name: str, make_job: MakeJob, tmp_path: Path) -> None:
    whole = trainer(name).train(make_job(workdir=tmp_path / "whole"), ignore)
    seen: list[int] = []

    def kill_after_first(progress: Progress) -> None:
        seen.append(progress.epoch)
        raise Killed

    job = make_job(workdir=tmp_path / "killed")
    with pytest.raises(Killed):
        trainer(name).train(job, kill_after_first)
    resumed = trainer(name).train(job, lambda progress: seen.append(progress.epoch))
    assert seen == [1, 1, 2, 3]  # the first once more, saying that it goes on from there
    ours, theirs = weights(resumed), weights(whole)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_finished_training_is_not_repeated(make_job: MakeJob) -> None:
    first = trainer("compact").train(make_job(), ignore)
    assert sorted(file.name for file in first.parent.iterdir()) == ["final.pt", "last.pt"]  # no decoded pictures
    said: list[Progress] = []
    assert trainer("compact").train(make_job(), said.append) == first
    assert said == []


def test_another_job_does_not_take_over_what_it_finds(make_job: MakeJob) -> None:
    first = weights(trainer("compact").train(make_job(), ignore))
    second = weights(trainer("compact").train(make_job(seed=8), ignore))
    assert not torch.equal(first["stem.conv.weight"], second["stem.conv.weight"])


def test_a_damaged_checkpoint_means_starting_over(make_job: MakeJob) -> None:
    job = make_job()
    job.workdir.mkdir()
    (job.workdir / "last.pt").write_bytes(b"PK\x03\x04 half a file")
    said: list[Progress] = []
    trainer("compact").train(job, said.append)
    assert [progress.epoch for progress in said] == [1, 2, 3]


def test_progress_says_losses_and_score(make_job: MakeJob) -> None:
    said: list[Progress] = []
    trainer("yolox").train(make_job(), said.append)
    assert all(progress.epochs == 3 for progress in said)
    assert all(progress.val_map50 is not None and 0 <= progress.val_map50 <= 1 for progress in said)
    assert {"loss", "iou", "objectness", "class"} <= said[0].losses.keys()
    assert "l1" in said[-1].losses


def test_without_val_pictures_there_is_no_score(make_job: MakeJob) -> None:
    said: list[Progress] = []
    trainer("compact").train(make_job(val=[], parameters=SMALL | {"epochs": 1}), said.append)
    assert said[0].val_map50 is None


def test_torch_is_left_as_it_was(make_job: MakeJob) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.random.get_rng_state()
    trainer("compact").train(make_job(parameters=SMALL | {"epochs": 1, "mosaic": 0.9, "settle_epochs": 0}), ignore)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[:2]
    assert torch.equal(torch.random.get_rng_state(), before[2])


def test_a_training_of_minutes_that_was_killed_goes_on_to_the_same_number(make_job: MakeJob, tmp_path: Path) -> None:
    parameters = SMALL | {"minutes": 0.0001, "input_width": 64}

    def kill(progress: Progress) -> None:
        if progress.epoch == 2:
            raise Killed

    job = make_job(parameters=parameters, workdir=tmp_path / "killed")
    with pytest.raises(Killed):
        trainer("compact").train(job, kill)
    seen: list[Progress] = []
    trainer("compact").train(job, seen.append)
    assert [progress.epoch for progress in seen] == [2, 3]
    assert seen[-1].epochs == 3


def test_patience_ends_a_training_that_gets_no_better_and_keeps_the_best(make_job: MakeJob) -> None:
    seen: list[Progress] = []
    parameters = SMALL | {"epochs": 9, "patience": 2, "learning_rate": 1e-9}
    final = trainer("compact").train(make_job(parameters=parameters), seen.append)
    assert len(seen) < 9
    scores = [progress.val_map50 or 0.0 for progress in seen]
    best = scores.index(max(scores)) + 1
    assert len(seen) == best + 2
    last = checkpoint.load(final.with_name("last.pt"))
    assert last["best"]["epoch"] == best
    assert all(torch.equal(weights(final)[name], tensor) for name, tensor in last["best"]["net"].items())


@pytest.mark.parametrize("name", ["compact", "yolox"])
def test_a_frozen_backbone_stays_as_it_was(name: str, make_job: MakeJob, tmp_path: Path) -> None:
    start = trainer(name).train(make_job(parameters=SMALL | {"epochs": 1}, workdir=tmp_path / "start"), ignore)
    job = make_job(init=start, parameters=SMALL | {"freeze": "backbone"}, workdir=tmp_path / "tuned")
    before, after = weights(start), weights(trainer(name).train(job, ignore))
    frozen = ("stem.", "stages.", "backbone.backbone.")
    same = {key for key in before if torch.equal(before[key], after[key])}
    assert {key for key in before if key.startswith(frozen)} <= same
    moved = {key for key in before if key.endswith("weight") and not key.startswith(frozen)}
    assert not moved & same


def test_freezing_needs_weights_to_keep(make_job: MakeJob) -> None:
    with pytest.raises(LinesideError) as refused:
        trainer("compact").train(make_job(parameters=SMALL | {"freeze": "backbone"}), ignore)
    assert refused.value.code == "training.parameter_invalid"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(make_job: MakeJob) -> None:
    with pytest.raises(LinesideError) as refused:
        trainer("compact").train(make_job(parameters=SMALL | {"device": "cuda"}), ignore)
    assert "no GPU" in refused.value.message


@pytest.mark.parametrize("changed", [{"grey": True}, {"size": "s"}, {"size": "m"}])
def test_other_sizes_and_grey_train_and_run_on_a_device(
    changed: dict[str, Any], make_job: MakeJob, squares: list[TrainImage], tmp_path: Path
) -> None:
    parameters = SMALL | {"epochs": 1} | changed
    compact = trainer("compact")
    final = compact.train(make_job(parameters=parameters), ignore)
    compact.export(final, ("dent", "scratch"), parameters, tmp_path / "model.onnx")
    model = load(tmp_path / "model.onnx", compact.signature(("dent", "scratch"), parameters), threads=1)
    assert isinstance(model.detect(squares[0].path.read_bytes(), score_threshold=0.0), list)


def test_nothing_to_train_on_is_refused(make_job: MakeJob, squares: list[TrainImage], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8\xff and no more")
    cases = {
        "training.no_images": make_job(train=[]),
        "training.no_boxes": make_job(train=squares[-1:]),
        "training.image_unreadable": make_job(train=[TrainImage(damaged, [(0, 1, 1, 5, 5)])]),
    }
    for code, job in cases.items():
        with pytest.raises(LinesideError) as refused:
            trainer("compact").train(job, ignore)
        assert refused.value.code == code


def test_a_rate_too_high_is_said_to_diverge(make_job: MakeJob) -> None:
    job = make_job(parameters=SMALL | {"learning_rate": 1e30, "warmup_epochs": 0.0})
    with pytest.raises(LinesideError) as refused:
        trainer("compact").train(job, ignore)
    assert refused.value.code == "training.diverged"


@pytest.mark.slow
def test_compact_learns_to_find_a_square(make_job: MakeJob) -> None:
    said: list[Progress] = []
    plainly = {"scale": 0.0, "stretch": 0.0, "turn": False, "paste": 0.0}
    parameters = SMALL | plainly | {"epochs": 60, "settle_epochs": 20}
    trainer("compact").train(make_job(parameters=parameters), said.append)
    assert said[-1].losses["box"] < 0.5 * said[0].losses["box"]
    assert (said[-1].val_map50 or 0.0) > 0.5
