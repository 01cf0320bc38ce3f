"""What approvers sign about a model: everything that was judged, and the very recipe that devices install. Pure."""

from __future__ import annotations

from lineside.contract.model import ModelVersion
from lineside.contract.trust import ApprovalStatement


def statement_of(model: ModelVersion, recipe_digest: str, started_by: str) -> ApprovalStatement:
    """The statement about a model version that is packed as this recipe; `started_by` started its run."""
    return ApprovalStatement(
        model=model.name,
        version=model.version,
        digest=model.digest,
        recipe=recipe_digest,
        golden=model.golden,
        metrics=model.metrics,
        gates=model.gates,
        twin_rollout=model.twin_rollout,
        twin_report=model.twin_report,
        run=model.lineage.run,
        started_by=started_by,
        dataset=model.lineage.dataset,
        dataset_digest=model.lineage.dataset_digest,
    )
