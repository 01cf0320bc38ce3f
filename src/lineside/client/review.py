"""Operations of people's API about reviews of captures."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.dataset_export import ExportListing
from lineside.contract.review import (
    Answer,
    Batch,
    LabelsReport,
    LabelsRequest,
    MadeDataset,
    MakeDataset,
    NextRequest,
    ReviewExport,
    ReviewItem,
    ReviewPage,
    ReviewPolicy,
    ReviewRule,
    ReviewState,
    ReviewStats,
)


class Reviewing(Calls):
    """Reviews: captures that people say something about."""

    def reviews(
        self,
        standing: ReviewState = ReviewState.WAITING,
        *,
        strategy: str | None = None,
        device: str | None = None,
        model: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> ReviewPage:
        """Captures in review, those whose turn is next first; `after` comes from the page before."""
        query = {"stands": standing.value, "strategy": strategy, "device": device, "model": model}
        return self.connection.call("GET", "/review", ReviewPage, query=query | {"after": after, "limit": limit})

    def next_reviews(self, request: NextRequest) -> Batch:
        """Lease captures: nobody else is given them until the lease ends."""
        return self.connection.call("POST", "/review/next", Batch, body=request)

    def answer_review(self, answer: Answer, tool: str = "client") -> ReviewItem:
        """Say something about a capture."""
        return self.connection.call("POST", "/review/answers", ReviewItem, body=answer, query={"tool": tool})

    def undo_review(self) -> ReviewItem:
        """Take the caller's last answer back."""
        return self.connection.call("POST", "/review/undo", ReviewItem)

    def review_stats(self) -> ReviewStats:
        """How many captures stand where, and who answered how many."""
        return self.connection.call("GET", "/review/stats", ReviewStats)

    def review_policy(self) -> ReviewPolicy:
        """How captures are reviewed."""
        return self.connection.call("GET", "/review/policy", ReviewPolicy)

    def set_review_policy(self, policy: ReviewPolicy) -> ReviewPolicy:
        """Change how captures are reviewed, from the next answer on."""
        return self.connection.call("POST", "/review/policy", ReviewPolicy, body=policy)

    def review(self, capture: str) -> ReviewItem:
        """One capture in review, with its answers."""
        return self.connection.call("GET", path("review", "captures", capture), ReviewItem)

    def alike_captures(self, capture: str, limit: int = 100) -> ReviewPage:
        """The near-duplicates of a capture, itself among them, the oldest first."""
        where = path("review", "captures", capture, "alike")
        return self.connection.call("GET", where, ReviewPage, query={"limit": limit})

    def make_dataset(self, request: MakeDataset) -> MadeDataset:
        """Make the next version of a dataset of what was reviewed since."""
        return self.connection.call("POST", "/review/datasets", MadeDataset, body=request)

    def review_rules(self) -> list[ReviewRule]:
        """Datasets that take reviews of themselves, by name."""
        return self.connection.call("GET", "/review/rules", list[ReviewRule])

    def apply_review_rule(self, rule: ReviewRule) -> ReviewRule:
        """Let a dataset take reviews of itself, whenever so many wait."""
        return self.connection.call("PUT", path("review", "rules", rule.name), ReviewRule, body=rule)

    def remove_review_rule(self, name: str) -> ReviewRule:
        """Let a dataset take no more reviews of itself."""
        return self.connection.call("POST", path("review", "rules", name, "remove"), ReviewRule)

    def export_reviews(self, request: ReviewExport) -> ExportListing:
        """Captures as files that another tool labels; see `lineside.client.labels` for the folder itself."""
        return self.connection.call("POST", "/review/export", ExportListing, body=request)

    def import_labels(self, request: LabelsRequest) -> LabelsReport:
        """Take label files, which were sent as blobs, as the caller's answers."""
        return self.connection.call("POST", "/review/labels", LabelsReport, body=request)
