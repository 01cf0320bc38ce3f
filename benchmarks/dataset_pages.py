"""How long people wait for a page of a dataset of many pictures.

    python -m benchmarks.dataset_pages [--images 10000] [--quick] [--json]

A control plane on SQLite with two versions of one dataset, a hundred more versions beside them, three boxes a picture
of ten classes, groups of twenty, findings of a check. Pictures are rows with the looks of one; none is decoded. Each
page is asked for over HTTP, in rounds; the figures are milliseconds until its last byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
from msgspec.structs import replace
from sqlalchemy import insert

from benchmarks.measure import interleaved, timings_table
from lineside.contract.dataset import Box, DatasetVersion, ImageRecord, LabelKind, LabelSource, Split
from lineside.contract.dataset_check import CheckReport, Finding, JudgedSplit
from lineside.contract.gate import Level
from lineside.server.datasets import store
from lineside.server.datasets.pictures.limits import HEIGHT, WIDTH
from lineside.server.datasets.pictures.looks import LookRow
from lineside.server.datasets.series import add_to_series
from lineside.server.services import Core
from lineside.server.testing import running

LIMIT = 200.0
"""Milliseconds in which a page over 10,000 pictures must be there."""

_CLASSES = tuple(f"defect {number}" for number in range(10))
_SIDES = (Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VAL, Split.TEST)
_MODEL = LabelSource(kind=LabelKind.MODEL, by="tags", version="3")


def pages(dataset: str, before: str, count: int) -> dict[str, str]:
    """What people look at, and its address."""
    here = f"/datasets/{dataset}"
    return {
        "versions": "/datasets",
        "versions of a name": "/datasets?name=plates",
        "pictures": here,
        "pictures, middle": f"{here}?offset={count // 2}",
        "pictures, last page": f"{here}?offset={count - 40}",
        "pictures of a side, middle": f"{here}?split=train&offset={count // 4}",
        "pictures of a class, middle": f"{here}?label=defect+7&offset={count // 8}",
        "pictures of a group": f"{here}?group=part+{count // 40}",
        "pictures nobody reviewed": f"{here}?source=unreviewed",
        "pictures of a finding": f"{here}?finding=check.box_tiny",
        "pictures by all filters": f"{here}?split=train&label=defect+7&source=unreviewed&finding=check.box_tiny",
        "checks": f"{here}/checks",
        "figures": f"{here}/figures",
        "what changed": f"/datasets/{before}/diff/{dataset}",
        "API: a page of pictures": f"/api/v1/datasets/{dataset}/images?limit=100&offset={count // 2}",
    }


def fill(core: Core, count: int) -> tuple[str, str]:
    """Two versions that differ in one picture of a hundred; the newer one first."""
    images = _images(count)
    older = tuple(replace(image, boxes=image.boxes[1:]) if at % 100 == 0 else image for at, image in enumerate(images))
    versions = [_version(core, "plates", number, some) for number, some in enumerate((older, images))]
    others = [_version(core, f"other-{number}", number + 2, images[:20]) for number in range(100)]
    look = {"width": 450, "height": 300, "form": "JPEG", "brightness": 100.0, "thumbnail": b"x" * 4000}
    look["patch"] = np.zeros((HEIGHT, WIDTH), np.float16).tobytes()
    with core.database.write() as session:
        for start in range(0, count, 500):
            rows = [look | {"digest": image.digest} for image in images[start : start + 500]]
            session.execute(insert(LookRow), rows)
        for version, some in zip(versions, (older, images), strict=True):
            store.add_version(session, version, some)
            add_to_series(session, version.name, version.id)
        for version in others:
            store.add_version(session, version, images[:20])
            add_to_series(session, version.name, version.id)
        store.keep_check(session, _report(versions[1]), {"check.box_tiny": range(0, count, 50)})
    return versions[1].id, versions[0].id


def _report(version: DatasetVersion) -> CheckReport:
    finding = Finding(code="check.box_tiny", level=Level.WARN, message="Tiny.", count=1, images=1, examples=())
    return CheckReport(
        dataset=version.id,
        split=JudgedSplit.OWN,
        checked_at=version.created_at,
        images=version.images,
        boxes=version.boxes,
        findings=(finding,),
        blocked=False,
    )


def _images(count: int) -> tuple[ImageRecord, ...]:
    chance = random.Random(5)
    return tuple(
        ImageRecord(
            digest="sha256:" + hashlib.sha256(b"%d" % at).hexdigest(),
            file_name=f"2026-11-{at % 30 + 1:02}/camera-{at % 7}/image-{at:08}.jpg",
            width=450,
            height=300,
            group=f"part {at // 20}",
            split=_SIDES[at // 20 % 5],
            boxes=tuple(_box(chance) for _ in range(3)),
        )
        for at in range(count)
    )


def _box(chance: random.Random) -> Box:
    wide, high = chance.randrange(2, 90), chance.randrange(4, 60)
    source = _MODEL if chance.random() < 0.1 else None
    x, y = chance.randrange(0, 360), chance.randrange(0, 240)
    return Box(label=chance.choice(_CLASSES), x=x, y=y, width=wide, height=high, source=source)


def _version(core: Core, name: str, number: int, images: tuple[ImageRecord, ...]) -> DatasetVersion:
    digest = "sha256:" + hashlib.sha256(f"{name} {number}".encode()).hexdigest()
    return DatasetVersion(
        id=f"ds-{digest[7:19]}",
        digest=digest,
        name=name,
        created_at=f"2026-11-21T{number // 60:02}:{number % 60:02}:00Z",
        format="coco",
        origin="photographs",
        images=len(images),
        boxes=sum(len(image.boxes) for image in images),
        classes=_CLASSES,
        splits={side.value: sum(image.split is side for image in images) for side in Split},
        groups=len({image.group for image in images}),
        split_by="group",
    )


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description="How long people wait for a page of a dataset of many pictures.")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    options = parser.parse_args()
    with ExitStack() as stack:
        lineside = stack.enter_context(running(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "a"))
        dataset, before = fill(lineside.core, options.images)
        client = stack.enter_context(httpx.Client(base_url=lineside.people_url, timeout=60))
        wanted = {name: _ask(client, address) for name, address in pages(dataset, before, options.images).items()}
        timings = interleaved(wanted, rounds=3 if options.quick else 7, calls=3)
    print(timings_table(timings))
    slowest = max(timings, key=lambda name: timings[name].median)
    worst = timings[slowest].median
    print(f"\nslowest of {len(timings)} over {options.images} pictures: {slowest}, {worst:.0f} ms")
    if options.json:
        figures = {name: {"median_ms": one.median, "low": one.low, "high": one.high} for name, one in timings.items()}
        found = {"images": options.images, "slowest": slowest, "slowest_ms": worst, "within": worst < LIMIT}
        print(json.dumps(found | {"pages": figures}))


def _ask(client: httpx.Client, address: str) -> Callable[[], object]:
    return lambda: client.get(address).raise_for_status()


if __name__ == "__main__":
    main()
