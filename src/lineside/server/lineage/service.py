"""Gathers the lineage of one result. The digest of the file that decided leads on; names are only compared with it."""

from __future__ import annotations

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.approval import TwinReport
from lineside.contract.dataset import DatasetVersion, Split
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.lineage import (
    Gap,
    LineageApproval,
    LineageComponent,
    LineageDevice,
    ResultLineage,
)
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.reading import UNREADABLE
from lineside.contract.result import Result, StoredResult
from lineside.contract.run import Run
from lineside.server.captures.service import CapturesService
from lineside.server.components.service import Components
from lineside.server.components.store import ComponentRow
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import Filters
from lineside.server.devices.store import DeviceRow, groups_of
from lineside.server.lineage import store
from lineside.server.lineage.approvals import SignedApprovals
from lineside.server.runs.service import RunsService
from lineside.server.services import Core
from lineside.server.trust.service import Proposals

IMPORTED = "imported"
"""What the lineage of a model that was trained elsewhere names as its trainer."""

FIRST_IMAGES = 12
"""Images of the training split that come along; the rest by paging through the dataset version."""


class LineageService:
    """Where results came from. Reads only."""

    def __init__(
        self,
        core: Core,
        datasets: DatasetsService,
        runs: RunsService,
        components: Components,
        captures: CapturesService,
    ) -> None:
        self._core, self._datasets, self._runs, self._captures = core, datasets, runs, captures
        self._approvals = SignedApprovals(components.repository, Proposals(core, components.repository))

    def of_result(self, id_: int) -> ResultLineage:
        """The lineage of a result. Raises `request.not_found` when it is not kept (any more)."""
        with self._core.database.read() as session:
            stored = store.result(session, id_)
        if stored is None:
            raise LinesideError("request.not_found", what="result", name=id_)
        return self._trace(stored)

    def of_capture(self, id_: str) -> ResultLineage:
        """The lineage of the result that a capture brought with it. Raises `request.not_found`."""
        capture = self._captures.get(id_)
        result = capture.record.result
        if result is None:
            raise LinesideError("request.not_found", what="result of the capture", name=id_)
        with self._core.database.read() as session:
            stored = store.same_result(session, result)
        return self._trace(stored or StoredResult(id=0, received_at=capture.requested_at, result=result))

    def _trace(self, stored: StoredResult) -> ResultLineage:
        gaps: list[Gap] = []
        with self._core.database.read() as session:
            trace = _Trace(session, stored.result, gaps)
            capture = store.capture_of(session, stored.result)
            rows = store.components_with(session, stored.result.digest)
            device, model = trace.device(), trace.model()
            components = trace.components(rows)
            approval = self._approval(trace, model, rows)
        run, dataset = self._run(model, gaps), self._dataset(model, gaps)
        _compare(model, approval, gaps)
        images = None
        if dataset is not None and model is not None and model.lineage.trainer != IMPORTED:
            images = self._datasets.images(dataset.id, Filters(split=Split.TRAIN), 0, FIRST_IMAGES)
        if capture is None:
            gaps.append(_gap("picture", "The device did not send the picture that it decided on."))
        return ResultLineage(
            result=stored,
            picture=capture.record.digest if capture else None,
            capture=capture.id if capture else None,
            device=device,
            components=components,
            model=model,
            variant=_variant(model, stored.result.digest),
            approval=approval,
            twins=self._twins(model, gaps),
            run=run,
            dataset=dataset,
            images=images,
            gaps=tuple(gaps),
        )

    def _approval(self, trace: _Trace, model: ModelVersion | None, rows: list[ComponentRow]) -> LineageApproval | None:
        if model is None:
            return None
        try:
            found = self._approvals.find(trace.session, model, rows)
        except LinesideError as error:
            trace.gaps.append(_gap("approval", f"The signed metadata cannot be believed: {error.message}"))
            return None
        if found is None:
            staged = any(row.staging_target for row in rows)
            where = " It is signed for twins, which test what nobody has approved yet." if staged else ""
            state = model.state.value.replace("_", " ")
            said = f"No approver's signature over {model.label} is in the metadata; it is {state}.{where}"
            trace.gaps.append(_gap("approval", said))
        return found

    def _twins(self, model: ModelVersion | None, gaps: list[Gap]) -> TwinReport | None:
        if model is None:
            return None
        if model.twin_report is None:
            gaps.append(_gap("twins", f"No report says what the twins saw of {model.label}."))
            return None
        try:
            data = self._core.objects.get(model.twin_report)
            if digest_of(data) == model.twin_report:
                return msgspec.json.decode(data, type=TwinReport)
            why = "it was changed"
        except (LinesideError, *UNREADABLE) as error:
            why = str(error)
        gaps.append(_gap("twins", f"The twins' report cannot be read: {why}."))
        return None

    def _run(self, model: ModelVersion | None, gaps: list[Gap]) -> Run | None:
        if model is None:
            return None
        if model.lineage.run is None:
            gaps.append(_gap("run", f"{model.label} was registered without a run."))
            return None
        try:
            run = self._runs.get(model.lineage.run)
        except LinesideError as error:
            if error.kind is not Kind.MISSING:
                raise
            gaps.append(_gap("run", f"The run {model.lineage.run}, which is said to have made it, is not known here."))
            return None
        if run.request.dataset != model.lineage.dataset:
            said = f"The run was on {run.request.dataset or 'no dataset'}, the model names {model.lineage.dataset}."
            gaps.append(_gap("run", said))
        return run

    def _dataset(self, model: ModelVersion | None, gaps: list[Gap]) -> DatasetVersion | None:
        if model is None:
            return None
        made = model.lineage
        if made.dataset is None:
            gaps.append(_gap("dataset", "It was made elsewhere: on which images it was trained is not known here."))
            return None
        try:
            dataset = self._datasets.version(made.dataset)
        except LinesideError as error:
            if error.kind is not Kind.MISSING:
                raise
            gaps.append(_gap("dataset", f"The dataset version {made.dataset} is not known here."))
            return None
        if made.dataset_digest != dataset.digest:
            said = f"{made.dataset} has another digest than the one that the model was trained on."
            gaps.append(_gap("dataset", said))
            return None
        if made.trainer == IMPORTED:
            said = f"It was made elsewhere and only scored on {dataset.id}; what it was trained on is not known."
            gaps.append(_gap("images", said))
        return dataset


class _Trace:
    """What can be said within one look at the tables."""

    def __init__(self, session: Session, result: Result, gaps: list[Gap]) -> None:
        self.session, self.gaps = session, gaps
        self._result = result
        self._row = session.get(DeviceRow, result.device)

    def device(self) -> LineageDevice | None:
        """The device as it is now."""
        row = self._row
        if row is None:
            self.gaps.append(_gap("device", f"The device {self._result.device} is not known here."))
            return None
        return LineageDevice(
            name=row.name,
            state=row.state,
            twin=row.twin,
            groups=groups_of(self.session, [row.name]).get(row.name, ()),
            joined_at=row.joined_at,
            reported_at=row.report.at if row.report else None,
        )

    def model(self) -> ModelVersion | None:
        """The model version with the file that decided; of several with the same file the one the device named."""
        said = f"{self._result.model}:{self._result.version}"
        found = store.models_with(self.session, self._result.digest)
        named = next((one for one in found if one.label == said), None)
        if named is not None or not found:
            if named is None:
                file = self._result.digest.removeprefix("sha256:")[:12]
                why = f"No model here has the file that decided, {file}; the device calls it {said}."
                self.gaps.append(_gap("model", why))
            return named
        labels = ", ".join(one.label for one in found)
        if len(found) > 1:
            why = f"The file that decided belongs to {labels}; the device calls it {said}, which is none of them."
            self.gaps.append(_gap("model", why))
            return None
        self.gaps.append(_gap("model", f"The device calls it {said}; by its digest it is {labels}."))
        return found[0]

    def components(self, rows: list[ComponentRow]) -> tuple[LineageComponent, ...]:
        """The component versions that bring the file, and whether the device's last report runs one."""
        report = self._row.report if self._row else None
        running = {
            one.recipe_digest
            for one in (report.running if report else ())
            if not one.artifacts or self._result.digest in one.artifacts.values()
        }
        if not rows:
            self.gaps.append(_gap("components", "No component here brings the file that decided."))
        elif not any(row.recipe_digest in running for row in rows):
            said = "By its last report the device does not run it now." if report else "The device never reported."
            self.gaps.append(_gap("components", said))
        return tuple(
            LineageComponent(
                name=row.name,
                version=row.version,
                recipe_digest=row.recipe_digest,
                target=row.target,
                staging_target=row.staging_target,
                created_at=row.created_at,
                running=row.recipe_digest in running,
            )
            for row in rows
        )


def _compare(model: ModelVersion | None, approval: LineageApproval | None, gaps: list[Gap]) -> None:
    """What approvers signed against what the tables say."""
    if model is None or approval is None:
        return
    said = approval.statement
    if said is None:
        gaps.append(_gap("approval", "What was signed says nothing about a model."))
        return
    pairs = {
        "file": (said.digest, model.digest),
        "dataset": (said.dataset_digest or model.lineage.dataset_digest, model.lineage.dataset_digest),
        "run": (said.run or model.lineage.run, model.lineage.run),
        "twin report": (said.twin_report or model.twin_report, model.twin_report),
        "metrics": (said.metrics, model.metrics),
    }
    for what, (signed, known) in pairs.items():
        if signed != known:
            gaps.append(_gap("approval", f"What was signed names another {what} than is recorded here."))
    if model.state is not ModelState.APPROVED:
        gaps.append(_gap("approval", f"It was approved, and is {model.state.value.replace('_', ' ')} now."))
    if sum(one.verified for one in approval.signatures) < approval.threshold:
        gaps.append(_gap("approval", "Fewer signatures verify than are needed."))


def _variant(model: ModelVersion | None, digest: str) -> str | None:
    return next((one.name for one in model.variants if one.digest == digest), None) if model else None


def _gap(about: str, sentence: str) -> Gap:
    return Gap(about=about, sentence=sentence)
