"""People's API of label files that go to other tools and come back."""

from __future__ import annotations

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from lineside.contract.dataset_export import ExportListing
from lineside.contract.people import Permission
from lineside.contract.review import LabelsReport, LabelsRequest, ReviewExport
from lineside.server.access.permissions import needs
from lineside.server.review.exchange import Exchange


@post(
    "/review/export",
    sync_to_thread=True,
    status_code=200,
    summary="Captures as files that another tool labels",
    opt=needs(Permission.OPERATE),
)
def export_reviews(data: JSONBody[ReviewExport], review_exchange: NamedDependency[Exchange]) -> ExportListing:
    """Each with what the model predicted, leased to the caller for some hours. Every file is a blob."""
    return review_exchange.export(data)


@post(
    "/review/labels",
    sync_to_thread=True,
    status_code=200,
    summary="Take label files of another tool as answers",
    opt=needs(Permission.OPERATE),
)
def import_labels(data: JSONBody[LabelsRequest], review_exchange: NamedDependency[Exchange]) -> LabelsReport:
    """The files were sent as blobs. Every picture that they list counts as reviewed."""
    return review_exchange.labels(data)


routes = [export_reviews, import_labels]
