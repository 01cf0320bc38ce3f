"""Folders of made-up images, imported through the service."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lineside.contract.dataset import DatasetVersion, ImportRequest
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import Filters
from lineside.server.services import Core


def surface(seed: int, width: int = 120, height: int = 80) -> Image.Image:
    """A picture with structure of its own."""
    coarse = np.random.default_rng(seed).integers(0, 255, (height // 10, width // 10), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def png(image: Image.Image) -> bytes:
    """The picture as a file."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def picture(seed: int, width: int = 120, height: int = 80) -> bytes:
    """A PNG file that looks like no other seed's."""
    return png(surface(seed, width, height))


def coco(images: list[dict[str, Any]], annotations: list[dict[str, Any]], **more: Any) -> bytes:
    """A COCO file with one class, `dent`."""
    categories = [{"id": 1, "name": "dent"}]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories} | more).encode()


def listed(count: int, **fields: Any) -> list[dict[str, Any]]:
    """COCO image entries 0.png, 1.png, ..."""
    return [{"id": n, "file_name": f"{n}.png", "width": 120, "height": 80} | fields for n in range(count)]


def boxed(image: int, *bbox: Any, **fields: Any) -> dict[str, Any]:
    """A COCO annotation."""
    return {"id": 100 + image, "image_id": image, "category_id": 1, "bbox": list(bbox), "iscrowd": 0} | fields


@dataclass
class Import:
    """Files to import; `()` imports them."""

    core: Core
    files: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, name: str = "tags") -> DatasetVersion:
        digests = {path: self.core.objects.put(data) for path, data in self.files.items()}
        service = DatasetsService(self.core)
        self.version = service.import_folder(ImportRequest(name=name, files=digests)).version
        self.images = service.images(self.version.id, Filters(), 0, 1000).images
        return self.version

    def warned(self) -> dict[str, int]:
        """Warnings by code."""
        return {warning.code: warning.count for warning in self.version.warnings}


@pytest.fixture
def folder(core: Core) -> Import:
    """An empty folder to fill and import."""
    return Import(core)


@pytest.fixture
def make() -> Callable[[str], Any]:
    """The helpers of this file by name."""
    return globals().__getitem__
