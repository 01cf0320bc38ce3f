"""What can be found out about dataset versions, and field sets, through the API."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.dataset_check import (
    CheckReport,
    CheckRequest,
    DatasetDiff,
    DatasetStats,
    FieldReport,
    FieldRequest,
    JudgedSplit,
)


class Inspecting(Calls):
    """Checks, figures, differences, field sets. A dataset version is named by its id, or its name for the newest."""

    def check_dataset(self, dataset: str, split: JudgedSplit = JudgedSplit.OWN) -> CheckReport:
        """Look for problems of labels and for leaks, of the version's own split or a random one."""
        body = CheckRequest(split=split)
        return self.connection.call("POST", path("datasets", dataset, "check"), CheckReport, body=body)

    def dataset_stats(self, dataset: str) -> DatasetStats:
        """Figures of a dataset version."""
        return self.connection.call("GET", path("datasets", dataset, "stats"), DatasetStats)

    def diff_datasets(
        self, dataset: str, other: str, *, change: str | None = None, offset: int = 0, limit: int = 100
    ) -> DatasetDiff:
        """What became of `dataset` in `other`; `change` is added, removed, labels or side."""
        query = {"change": change, "offset": offset, "limit": limit}
        return self.connection.call("GET", path("datasets", dataset, "diff", other), DatasetDiff, query=query)

    def grow_field_set(self, request: FieldRequest) -> FieldReport:
        """Add what was labelled lately to the dated test set of a dataset."""
        return self.connection.call("POST", "/field-sets", FieldReport, body=request)
