"""What becomes of a proposal: published when it is complete, stale when something else was published meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from lineside.contract.ceremony import TAKEN_OVER, Proposal, ProposalState
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.access.caller import current
from lineside.server.adapters.tuf import Repository, SignedFile
from lineside.server.adapters.tuf import metadata as rules
from lineside.server.adapters.tuf.signed import to_bytes
from lineside.server.adapters.tuf.state import State
from lineside.server.clock import rfc3339
from lineside.server.services import Core
from lineside.server.trust import store
from lineside.server.trust.store import FileRow, ProposalRow, SignatureRow

Listener = Callable[[Session, Proposal], object]
Judge = Callable[[Session, Proposal], bool]


@dataclass(frozen=True)
class Publishing:
    """Decides about proposals; every method takes part in the caller's transaction."""

    core: Core
    repository: Repository
    listeners: list[Listener] = field(default_factory=list)
    judges: list[Judge] = field(default_factory=list)

    def settle(self, session: Session, row: ProposalRow) -> bool:
        """Bring a proposal up to date; whether it still waits."""
        if row.state != ProposalState.OPEN.value:
            return False
        files, state = store.files(session, row), self.repository.state()
        if self._went_out(session, row, files):
            self._published(session, row)
            return False
        newer = next((file.role for file in files if state.version(file.role) != file.base), None)
        if newer is not None:
            self.close(session, row, ProposalState.STALE, f"{newer} was signed anew meanwhile: propose it again")
            return False
        self._ask_anew(files, state)
        proposal = store.value(session, row)
        if not all(file.complete for file in proposal.files) or not all(
            says(session, proposal) for says in self.judges
        ):
            return True
        return not self._publish(session, row)

    def close(self, session: Session, row: ProposalRow, state: ProposalState, reason: str) -> None:
        """A proposal that is not to be published."""
        row.state, row.reason, row.decided_at = state.value, reason, self.now()
        session.flush()
        self._drop_key(session, row)
        words = f"{row.id} ({row.kind} of {row.subject}) is {state.value}: {reason}."
        self.say(session, f"trust.{state.value}", row, words)
        self.core.audit.record(session, f"trust.{state.value}", row.id, why=reason)

    def begin(self, session: Session) -> None:
        """Note the keys of a repository that nobody looked at yet."""
        state = self.repository.state()
        if self._remember(session, state):
            digest = digest_of(to_bytes(state.root))
            self.core.audit.record(session, "trust.begun", f"root {state.root.signed.version}", digest=digest)

    def say(self, session: Session, kind: str, row: ProposalRow, message: str) -> None:
        """An event about a proposal."""
        self.core.events.record(session, kind=kind, subject=row.id, message=message, actor=current().name)

    def now(self) -> str:
        """The time, as it is stored."""
        return rfc3339(self.core.clock.now())

    # --- inside ---------------------------------------------------------------------------------------------------

    def _drop_key(self, session: Session, row: ProposalRow) -> None:
        """A key of its own that the control plane made for this proposal, when nothing else wants it."""
        if row.kind != "key.rotate" or row.subject in TAKEN_OVER:
            return
        trusted = {key for role in rules.ROLES for key in self.repository.state().role(role).keyids}
        others = store.proposals(session, state=ProposalState.OPEN, kind=row.kind, subject=row.subject)
        wanted = "".join(file.text for other in others for file in store.files(session, other))
        for key in self.repository.here(row.subject):
            if key not in trusted and key not in wanted:
                self.repository.forget_key(key)

    def _signed(self, session: Session, row: ProposalRow) -> list[SignedFile]:
        signed = store.signatures(session, row)
        return [
            SignedFile(
                role=file.role,
                version=file.version,
                text=file.text,
                signatures={one.key: one.signature for one in signed if one.role == file.role},
            )
            for file in store.files(session, row)
        ]

    def _publish(self, session: Session, row: ProposalRow) -> bool:
        """Tell the listeners, then put the files out. False when clients could not follow: it is stale then."""
        files = self._signed(session, row)
        try:
            self.repository.rehearse(files)
        except LinesideError as error:
            if error.code not in ("trust.overtaken", "trust.not_signed"):
                raise
            self.close(session, row, ProposalState.STALE, error.message.rstrip("."))
            return True
        self._published(session, row)
        self.repository.publish_signed(files)
        state = self.repository.state()
        self._remember(session, state)
        self._overtake(session, row, state)
        return True

    def _published(self, session: Session, row: ProposalRow) -> None:
        row.state, row.decided_at = ProposalState.PUBLISHED.value, self.now()
        session.flush()
        proposal = store.value(session, row)
        for listener in self.listeners:
            listener(session, proposal)
        self.say(session, "trust.published", row, f"{row.id} ({row.kind} of {row.subject}) is signed and published.")
        for file in self._signed(session, row):
            subject = f"{row.id} {file.role} {file.version}"
            digest = digest_of(to_bytes(file.metadata()))
            self.core.audit.record(session, "trust.published", subject, digest=digest, why=row.why)

    def _went_out(self, session: Session, row: ProposalRow, files: list[FileRow]) -> bool:
        """Whether a kill came between its files and the commit; the signatures it had are taken from the files."""
        if not self.repository.is_published(self._signed(session, row)):
            return False
        state = self.repository.state()
        for file in files:
            for key, signature in self.repository.signatures(file.role, file.version).items():
                if session.get(SignatureRow, (row.number, file.role, key)) is None:
                    session.add(
                        SignatureRow(
                            proposal=row.number,
                            role=file.role,
                            key=key,
                            name="",
                            signature=signature,
                            at=self.now(),
                            by=current().name,
                        )
                    )
        session.flush()
        self._remember(session, state)
        return True

    def _overtake(self, session: Session, published: ProposalRow, state: State) -> None:
        for row in store.proposals(session, state=ProposalState.OPEN):
            files = store.files(session, row)
            if row.number != published.number and any(state.version(one.role) != one.base for one in files):
                reason = f"{published.id} was published first: propose it again"
                self.close(session, row, ProposalState.STALE, reason)

    def _ask_anew(self, files: list[FileRow], state: State) -> None:
        """Who must sign a file may have changed since, unless the proposal itself says who."""
        roles = {file.role for file in files}
        for file in files:
            above = "root" if file.role in ("root", "targets") else "targets"
            if above not in roles and file.quorums != (state.quorum(file.role),):
                file.quorums = (state.quorum(file.role),)

    def _remember(self, session: Session, state: State) -> int:
        trusted = [(role, key.keyid) for role in rules.ROLES for key in state.keys_of(role)]
        return store.remember(session, trusted, self.now())
