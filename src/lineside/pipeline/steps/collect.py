"""collect: the records of a dataset version, and its pictures on this machine."""

from __future__ import annotations

import msgspec

from lineside.contract.dataset import ImageRecord
from lineside.contract.errors import LinesideError
from lineside.contract.run import RunRequest
from lineside.pipeline.classes import classifies, whole_pictures
from lineside.pipeline.control import Control
from lineside.pipeline.step import Context, Results, StepDefinition

_PAGE = 500


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset version's id: it names its content. `whole`: for a classifier, which looks at whole pictures."""

    dataset: str
    whole: bool = False


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the dataset version is, and the blob with its image records (a JSON list)."""

    dataset: str
    dataset_digest: str
    split_by: str
    classes: tuple[str, ...]
    images: int
    records: str


def inputs(request: RunRequest, results: Results) -> Inputs | None:
    """A model made elsewhere may come without a dataset; a training may not. Errors: run.request_incomplete,
    training.trainer_unknown."""
    if request.dataset is None and request.kind == "train":
        raise LinesideError("run.request_incomplete", kind=request.kind, what="a dataset")
    return None if request.dataset is None else Inputs(dataset=request.dataset, whole=classifies(request))


def collect(context: Context, given: Inputs) -> Outputs:
    """Read the records and fetch the pictures this machine lacks; errors: request.not_found, blob.digest_mismatch."""
    version = context.control.dataset(given.dataset)
    records = read_records(context.control, given.dataset)
    if given.whole:
        records = whole_pictures(records)
    fetch_images(context, records)
    return Outputs(
        dataset=version.id,
        dataset_digest=version.digest,
        split_by=version.split_by,
        classes=version.classes,
        images=len(records),
        records=context.blobs.put_value(records),
    )


def fetch_images(context: Context, records: list[ImageRecord]) -> None:
    """Make sure that these pictures are on this machine."""
    missing = context.images.missing(record.digest for record in records)
    for number, digest in enumerate(missing, 1):
        context.images.path(digest)
        context.reporter.progress(number / len(missing), f"{number} of {len(missing)} pictures fetched")


def records_of(context: Context, digest: str) -> list[ImageRecord]:
    """The image records an earlier step stored."""
    return context.blobs.value(digest, list[ImageRecord])


def read_records(control: Control, dataset: str) -> list[ImageRecord]:
    """The image records of a dataset version, page by page; error: request.not_found."""
    records: list[ImageRecord] = []
    while True:
        page = control.dataset_images(dataset, offset=len(records), limit=_PAGE)
        records.extend(page.images)
        if len(records) >= page.total or not page.images:
            return records


STEP = StepDefinition(
    name="collect",
    inputs=inputs,
    perform=collect,
    summary=lambda done: f"{done.images} pictures of {done.dataset}",
    outputs=Outputs,
    code=lambda given: (__name__, "lineside.pipeline.classes"),
)
