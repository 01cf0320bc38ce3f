"""Local deployments from being asked for to their end.

    QUEUED ─► IN_PROGRESS ─► SUCCEEDED
       │           ├───────► FAILED     the trial failed, or could not begin; what ran before runs again
       └───────────┴───────► CANCELED   somebody changed their mind, or a newer revision decided

One at a time. The update thread asks `wanted` what to run, carries that out as it would any desired document, and tells
`ended` how it went: so a local deployment has the same plan, the same checks, the same trial and the same way back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from lineside.agent.attention import Attention
from lineside.agent.bus.ports import LocalDeployment, LocalDeploymentRequest
from lineside.agent.clock import DEVICE
from lineside.agent.link.error import LinkError
from lineside.agent.link.join_state import JoinState
from lineside.agent.local.bundle_file import BundleFile
from lineside.agent.local.bundles import check_for, check_joined, check_signature, learn_the_time
from lineside.agent.local.history import ENDED, check_cancel, describe, entries, entry_of
from lineside.agent.local.model import Bad, LocalComponent, Overlay, Record, Trial
from lineside.agent.local.overlay import apply, prune, with_components
from lineside.agent.local.prepare import prepare
from lineside.agent.local.records import Records
from lineside.agent.local.sources import Sources
from lineside.agent.local.spool import BUNDLE, Spool, Spooled
from lineside.agent.paths import Paths
from lineside.agent.updating.installed import Component, document_of
from lineside.agent.updating.state import CARRIED, State
from lineside.agent.updating.store import Store
from lineside.agent.updating.trust import Trust
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.reported import Phase

_log = logging.getLogger(__name__)


class LocalDeployments:
    """What a device decides by itself. `wanted` and `ended` are the update thread's; the rest is anybody's."""

    def __init__(
        self,
        paths: Paths,
        joined: JoinState,
        state: State,
        store: Store,
        records: Records,
        sources: Sources,
        attention: Attention,
        platform: Mapping[str, str],
    ) -> None:
        self._paths = paths
        self._joined = joined
        self._state = state
        self._store = store
        self._records = records
        self._sources = sources
        self._attention = attention
        self._platform = platform
        self._spool = Spool(paths)
        self._seen: tuple[str, Desired] | None = None  # what `wanted` made of which desired document
        self._short: tuple[str, Phase, ErrorReport | None] | None = None  # what was wanted last in place of that one

    # --- anybody's ------------------------------------------------------------------------------------------------

    def deploy(self, request: LocalDeploymentRequest) -> str:
        """Queue a local deployment; its id. Folders that it names are read when its turn has come."""
        id = self._spool.deploy(request, describe(request))
        self._attention.nudge()
        return id

    def deployments(self) -> Sequence[LocalDeployment]:
        """All that are remembered, newest first."""
        return [one.public() for one in entries(self._records.read(), self._spool)]

    def cancel(self, id: str) -> None:
        """Cancel one that has not ended. Raises `bus.deployment_unknown`, `local.ended`."""
        check_cancel(id, self._records.read(), self._spool)
        self._spool.cancel(id)
        self.look()

    def look(self) -> None:
        """Something was handed over or cancelled. Safe in a signal handler."""
        if self._spool.cancelled():
            self._attention.newer()
        else:
            self._attention.nudge()

    def recipes(self) -> frozenset[str]:
        """Digests of recipes that were deployed here without a signature."""
        return frozenset(digest_of(recipe) for recipe in _recipes(self._records.read()))

    def instead_of(self, desired: Desired) -> Desired:
        """What is tried or run now for a desired document; itself when nothing local changes it."""
        seen = self._seen
        return seen[1] if seen is not None and seen[0] == document_of(desired) else desired

    def unmet(self, document: str) -> tuple[Phase, ErrorReport | None] | None:
        """When a document is not what the control plane wants: how far that is, and why, however the document fares.

        It stays so after the deployment has ended: who asked `instead_of` a moment before still speaks of it.
        """
        short = self._short
        return short[1:] if short is not None and short[0] == document else None

    # --- the update thread's --------------------------------------------------------------------------------------

    def begin(self) -> None:
        """After a start: forget what was half done."""
        record = self._records.read()
        ended = {one.id for one in record.history if one.status in ENDED}
        self._spool.tidy({one.id for one in self._spool.waiting()} - ended)

    def wanted(self, saved: Desired | None) -> Desired | None:
        """What the device should run, given its newest desired document. Takes what waits."""
        record = self._hear_cancels(self._records.read())
        desired = saved or Desired(device=self._joined.device, revision=0)
        record = self._forget_decided(record, desired)
        if record.trial is None and (waiting := self._next(record)) is not None:
            record = self._take(record, waiting, desired)
            known = self._state.desired()  # a bundle may have brought a newer one
            saved = known.document if known else saved
            desired = saved or desired
            record = self._forget_decided(record, desired)
        wanted = self._effective(record, desired)
        if record.trial is not None and record.trial.document != document_of(wanted):
            self._state.forget_failure(document_of(wanted))  # whoever deploys it again wants it tried again
            record = self._save(record, trial=msgspec.structs.replace(record.trial, document=document_of(wanted)))
        for recipe in _recipes(record):  # those of the store may have been lost; nobody else has them
            self._store.put(recipe)
        self._use(record.trial)
        nothing = saved is None and wanted == desired
        self._note_short(record, document_of(desired), document_of(wanted))
        self._seen = None if nothing else (document_of(desired), wanted)
        return None if nothing else wanted

    def ended(self, refusal: Callable[[str], ErrorReport | None]) -> bool:
        """After a planning round: whether a local deployment has ended with it. `refusal`: why a document was."""
        record = self._records.read()
        trial = record.trial
        if trial is None or not trial.document:
            return False
        good, outcome = self._state.good(), self._state.outcome()
        error = refusal(trial.document)
        if outcome is not None and outcome.document == trial.document:
            kept = trial.overlay if outcome.held else record.overlay
            self._end(msgspec.structs.replace(record, overlay=kept), trial.id, "FAILED", outcome.error)
        elif good.document == trial.document and self._state.attempt() is None:
            self._end(msgspec.structs.replace(record, overlay=trial.overlay), trial.id, "SUCCEEDED")
        elif error is not None:
            self._end(record, trial.id, "FAILED", error)
        else:
            return False
        return True

    def stranded(self) -> bool:
        """The control plane was needed and is away: whether the deployment under way can go on without it.

        It then goes on top of what runs; the desired document has its turn when it can be fetched.
        """
        record = self._records.read()
        trial = record.trial
        if trial is None or trial.desired or trial.base is not None or record.bad is not None:
            return False
        self._save(record, trial=msgspec.structs.replace(trial, base=self._what_runs()))
        return True

    def _what_runs(self) -> tuple[DesiredComponent, ...]:
        return tuple(_pinned(item) for item in self._state.good().components)

    # --- what is wanted -------------------------------------------------------------------------------------------

    def _effective(self, record: Record, desired: Desired) -> Desired:
        base = self._base(record, desired)
        trial = record.trial
        if trial is None:
            return apply(base, record.overlay)
        if trial.base is not None:
            base = msgspec.structs.replace(desired, components=trial.base)
        return msgspec.structs.replace(
            apply(base, trial.overlay),
            failure_policy=trial.failure_policy,
            update_policy=trial.update_policy or desired.update_policy,
            validation_policy=trial.validation_policy or desired.validation_policy,
        )

    def _note_short(self, record: Record, desired: str, wanted: str) -> None:
        trial = record.trial
        if record.bad is not None:
            self._short = wanted, Phase.ROLLED_BACK, record.bad.error
        elif trial is not None and trial.base is not None:
            self._short = wanted, Phase.FETCHING, None
        elif trial is not None and wanted != desired:
            self._short = wanted, Phase.STARTING, None
        elif self._short is not None and self._short[0] == wanted:
            self._short = None

    def _base(self, record: Record, desired: Desired) -> Desired:
        """The desired document, or what ran before it if it has failed."""
        return desired if record.bad is None else msgspec.structs.replace(desired, components=record.bad.base)

    def _forget_decided(self, record: Record, desired: Desired) -> Record:
        """Drop what the desired document has decided since."""
        overlay = prune(record.overlay, desired)
        bad = record.bad if record.bad is not None and record.bad.desired == document_of(desired) else None
        if overlay != record.overlay or bad != record.bad:
            record = self._save(record, overlay=overlay, bad=bad)
        trial = record.trial
        if trial is None:
            return record
        kept = prune(trial.overlay, desired)
        decided = [
            name
            for name in trial.names
            if (name in trial.overlay.components) != (name in kept.components)
            or (name in trial.overlay.removed) != (name in kept.removed)
        ]
        if decided or (trial.desired and trial.desired != document_of(desired)):
            error = LinesideError("local.superseded", id=trial.id, revision=desired.revision)
            return self._end(record, trial.id, "CANCELED", error.report())
        return record if kept == trial.overlay else self._save(record, trial=_with(trial, kept))

    def _use(self, trial: Trial | None) -> None:
        """Point the executor to what came with the deployment under way."""
        try:
            self._sources.use(trial.files if trial else {}, trial.bundle if trial else "")
        except LinesideError as error:
            _log.warning("%s", error)
            self._sources.use({}, "")

    # --- beginning and ending -------------------------------------------------------------------------------------

    def _next(self, record: Record) -> Spooled | None:
        for spooled in self._spool.waiting():
            known = record.entry(spooled.id)
            if known is None or known.status not in ENDED:
                return spooled
            self._spool.drop(spooled.id)
        return None

    def _take(self, record: Record, spooled: Spooled, desired: Desired) -> Record:
        """Begin a deployment; one that cannot begin has failed. Raises `LinkError`, `Interrupted`, `Superseded`."""
        _log.info("local deployment %s: %s", spooled.id, spooled.what)
        record = self._with_bad(record, desired)
        record = self._save(record.with_entry(entry_of(spooled, "IN_PROGRESS")))
        try:
            trial = (
                self._import(record, spooled) if spooled.kind == "import" else self._deploy(record, spooled, desired)
            )
        except LinkError:
            raise
        except LinesideError as error:
            _log.warning("local deployment %s: %s", spooled.id, error)
            return self._end(record, spooled.id, "FAILED", error.report())
        return self._save(record, trial=trial)

    def _with_bad(self, record: Record, desired: Desired) -> Record:
        """If the desired document has failed, local deployments go on top of what runs instead."""
        outcome = self._state.outcome()
        if record.bad is not None or outcome is None or outcome.held:
            return record
        if outcome.document != document_of(apply(desired, record.overlay)):
            return record
        bad = Bad(desired=document_of(desired), error=outcome.error, base=self._what_runs())
        return msgspec.structs.replace(record, bad=bad)

    def _deploy(self, record: Record, spooled: Spooled, desired: Desired) -> Trial:
        try:
            prepared = prepare(spooled.request, self._base(record, desired), record.overlay, self._platform)
        except OSError as error:
            raise LinesideError("local.file_unreadable", path=error.filename, why=error.strerror) from error
        return Trial(
            id=spooled.id,
            overlay=prepared.overlay,
            names=prepared.names,
            failure_policy=spooled.request.failure_policy,
            files=prepared.files,
        )

    def _import(self, record: Record, spooled: Spooled) -> Trial:
        check_joined(self._paths)
        path = self._spool.place(spooled.id) / BUNDLE
        trust = Trust(self._sources, self._paths, self._attention, twin=self._joined.twin)
        file = BundleFile(path)
        try:
            bundle, document = file.document()
            known = self._state.desired()
            check_for(bundle, self._joined, known.document.revision if known else None)
            file.check_complete(bundle)
            self._sources.use({}, str(path))
            expires = trust.refresh()
            check_signature(file, document, trust)
            learn_the_time(bundle, expires, DEVICE)
        finally:
            trust.close()
            file.close()
        if bundle.group is None:
            return self._for_device(record, spooled, bundle.desired)
        since = known.document.revision if known else 0
        items = [LocalComponent(component=item, since=since) for item in bundle.desired.components]
        overlay = with_components(record.overlay, items)
        names = tuple(sorted(item.component.name for item in items))
        return Trial(
            id=spooled.id,
            overlay=overlay,
            names=names,
            failure_policy=bundle.desired.failure_policy,
            bundle=str(path),
            update_policy=bundle.desired.update_policy,
            validation_policy=bundle.desired.validation_policy,
        )

    def _for_device(self, record: Record, spooled: Spooled, desired: Desired) -> Trial:
        """A bundle made for this device brings its desired document, unless the device has that one already."""
        known = self._state.desired()
        if known is None or known.document.revision < desired.revision:
            self._state.save_desired(desired, CARRIED)
        elif document_of(known.document) != document_of(desired):
            raise LinesideError(
                "bundle.superseded",
                revision=desired.revision,
                known=known.document.revision,
                device=self._joined.device,
            )
        return Trial(
            id=spooled.id,
            overlay=prune(record.overlay, desired),
            names=(),
            failure_policy=desired.failure_policy,
            bundle=str(self._spool.place(spooled.id) / BUNDLE),
            desired=document_of(desired),
        )

    def _hear_cancels(self, record: Record) -> Record:
        for id in self._spool.cancelled():
            entry = next((one for one in entries(record, self._spool) if one.id == id), None)
            if entry is not None and entry.status not in ENDED:
                error = LinesideError("local.canceled", id=id)
                record = self._end(record.with_entry(entry), id, "CANCELED", error.report())
            self._spool.forget_cancel(id)
        return record

    def _end(self, record: Record, id: str, status: str, error: ErrorReport | None = None) -> Record:
        """A deployment has ended: remember how, then remove what it came with."""
        entry = record.entry(id)
        if entry is not None:
            record = record.with_entry(msgspec.structs.replace(entry, status=status, error=error))
        if record.trial is not None and record.trial.id == id:
            if record.trial.base is not None:
                self._seen = None  # what is well now is not what the control plane wants
            record = msgspec.structs.replace(record, trial=None)
        record = self._save(record)
        _log.info("local deployment %s: %s", id, status)
        self._use(record.trial)
        self._spool.drop(id)
        return record

    def _save(self, record: Record, **changes: object) -> Record:
        record = msgspec.structs.replace(record, **changes) if changes else record
        self._records.write(record)
        return record


def _recipes(record: Record) -> list[bytes]:
    overlays = [record.overlay, *([record.trial.overlay] if record.trial else [])]
    return [one.recipe for overlay in overlays for one in overlay.components.values() if one.recipe]


def _pinned(item: Component) -> DesiredComponent:
    """A component exactly as it runs."""
    return DesiredComponent(
        name=item.name,
        version=item.version,
        target=item.target,
        recipe_digest=item.recipe_digest,
        run_with=item.run_with,
    )


def _with(trial: Trial, overlay: Overlay) -> Trial:
    return msgspec.structs.replace(trial, overlay=overlay)
