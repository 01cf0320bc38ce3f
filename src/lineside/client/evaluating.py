"""Scoring a registered version on a labelled folder or on a dataset version: start the run, read what came of it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from lineside.client.client import Client
from lineside.client.folder import Progress, upload_folder
from lineside.client.known_digests import known_digests
from lineside.contract.dataset import DatasetVersion
from lineside.contract.errors import LinesideError
from lineside.contract.evaluation import Evaluated, Evaluation
from lineside.contract.model import Metrics
from lineside.contract.run import Run, RunState

_STEP = "score"
_MOST_NAME = 40  # characters of a folder's name in that of its dataset


class _Score(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs of the step `score`, as far as they are read here."""

    model: str
    digest: str
    dataset: str
    split: str
    metrics: Metrics
    evaluation: str
    seen: int


def dataset_of(
    client: Client, data: str, progress: Progress = lambda done, total, what: None
) -> tuple[DatasetVersion, bool]:
    """The dataset version that `data` names (its id, or the newest of that name), and False; or the one that a folder
    on this machine becomes, and True. The same folder is the same dataset version; only what is missing is sent.

    Raises `request.not_found`, and what an import refuses.
    """
    folder = Path(data)
    if not folder.is_dir():
        return client.dataset(data), False
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.resolve().name).strip("-_")[:_MOST_NAME] or "folder"
    with known_digests() as known:
        return upload_folder(client, folder, f"{name}-evaluated", progress, known=known).version, True


def evaluated(client: Client, run: Run) -> Evaluated:
    """What a run of the kind `evaluate` came to. Raises `evaluation.failed`; `evaluation.not_done` before its end."""
    if run.error is not None:
        raise LinesideError("evaluation.failed", run=run.id, why=run.error.message.rstrip("."))
    step = next((step for step in run.steps if step.name == _STEP), None)
    if run.state is not RunState.SUCCEEDED or step is None or not step.outputs:
        raise LinesideError("evaluation.not_done", run=run.id, current=run.state.value)
    done = msgspec.convert(step.outputs, _Score)
    return Evaluated(
        model=done.model,
        digest=done.digest,
        dataset=done.dataset,
        split=done.split,
        images=done.metrics.images,
        boxes=done.metrics.boxes,
        map50=done.metrics.map50,
        map=done.metrics.map,
        per_class=done.metrics.per_class,
        seen=done.seen,
        evaluation=done.evaluation,
        run=run.id,
        score=msgspec.json.decode(client.get_blob(done.evaluation), type=Evaluation),
    )
