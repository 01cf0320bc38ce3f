"""Dataset versions through the API."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.dataset import DatasetPage, DatasetVersion, ImagePage, ImportReport, ImportRequest, Looked
from lineside.contract.dataset_export import ExportListing


class Datasets(Calls):
    """Datasets: import, look, export."""

    def import_dataset(self, request: ImportRequest) -> ImportReport:
        """Make a dataset version from files whose blobs are there; see `lineside.client.folder` for a whole folder."""
        return self.connection.call("POST", "/datasets", ImportReport, body=request)

    def datasets(self, *, name: str | None = None, offset: int = 0, limit: int = 100) -> DatasetPage:
        """Dataset versions, newest first: all, or those of one name."""
        query = {"name": name, "offset": offset, "limit": limit}
        return self.connection.call("GET", "/datasets", DatasetPage, query=query)

    def dataset(self, dataset: str) -> DatasetVersion:
        """One dataset version."""
        return self.connection.call("GET", path("datasets", dataset), DatasetVersion)

    def dataset_images(
        self,
        dataset: str,
        *,
        split: str | None = None,
        label: str | None = None,
        group: str | None = None,
        source: str | None = None,
        finding: str | None = None,
        offset: int = 0,
        limit: int = 500,
    ) -> ImagePage:
        """Images of a dataset version with their boxes: those that pass all filters."""
        query = {"split": split, "label": label, "group": group, "source": source, "finding": finding}
        return self.connection.call(
            "GET",
            path("datasets", dataset, "images"),
            ImagePage,
            query=query | {"offset": offset, "limit": limit},
        )

    def export_dataset(self, dataset: str, format: str = "coco") -> ExportListing:
        """A dataset version as a folder of blobs; see `lineside.client.downloading` for the folder itself. Raises
        `dataset.export_unfinished` while labels are being written: ask again."""
        return self.connection.call("GET", path("datasets", dataset, "export"), ExportListing, query={"format": format})

    def look_at_pictures(self, digests: list[str]) -> int:
        """Let the control plane look at pictures that were sent, 1000 at most; how many of the blobs are pictures."""
        return self.connection.call("POST", "/datasets/looks", Looked, body={"digests": digests}).pictures
