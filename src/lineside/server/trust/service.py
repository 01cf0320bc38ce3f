"""Proposals: changes of signed metadata that wait for the signatures they need, and are published when they have them.

Whoever proposes builds a draft; keys that lie here sign it at once, so that in developer trust it is published in the
same breath. Everything about one proposal happens in the caller's transaction, and the files go out last: a kill after
that and before the commit leaves a proposal that is published already, which `settle` notices at the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature
from sqlalchemy.orm import Session

from lineside.contract.ceremony import (
    TAKEN_OVER,
    Proposal,
    ProposalState,
    ProposedFile,
    Signatures,
    SignedBy,
    TrustKey,
    TrustMode,
)
from lineside.contract.ceremony_changes import changes, part_of
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.access.caller import current
from lineside.server.adapters.tuf import Draft, Repository
from lineside.server.adapters.tuf.signed import same_but_for_the_times
from lineside.server.adapters.tuf.state import State
from lineside.server.services import Core
from lineside.server.trust import store
from lineside.server.trust.keys import asked, trust_key
from lineside.server.trust.publishing import Judge, Listener, Publishing
from lineside.server.trust.store import FileRow, ProposalRow, SignatureRow

Build = Callable[[Draft], object]
"""Puts what is proposed into a draft."""

Check = Callable[[Session, Proposal, TrustKey], object]


class Proposals:
    """What waits for signatures. Methods that take a session take part in the caller's transaction."""

    def __init__(self, core: Core, repository: Repository | None = None) -> None:
        self._core = core
        self.repository = repository or core.repository()
        self._publishing = Publishing(core, self.repository)
        self.checks: list[Check] = []
        """Called with each signature's key before the signature counts; an error refuses it."""
        self._mode: tuple[int, TrustMode] | None = None

    @property
    def listeners(self) -> list[Listener]:
        """Called with what is about to be published; an error undoes it. Called again for the same proposal when a kill
        came between its files and the commit."""
        return self._publishing.listeners

    @property
    def judges(self) -> list[Judge]:
        """Asked whether a proposal that has all its signatures may be published; until each says yes, it waits.

        A lowered threshold can complete a proposal without a further signature, which `checks` would be asked about.
        """
        return self._publishing.judges

    # --- looking --------------------------------------------------------------------------------------------------

    def mode(self) -> TrustMode:
        """Developer as long as the keys here are enough for any role that decides what devices install."""
        seen = self.repository.stamp()
        if self._mode is None or self._mode[0] != seen:
            here = any(self.repository.can_sign(role) for role in TAKEN_OVER)
            self._mode = seen, TrustMode.DEVELOPER if here else TrustMode.OFFLINE
        return self._mode[1]

    def can_sign(self, role: str) -> bool:
        """Whether the keys here are enough for a role."""
        return self.repository.can_sign(role)

    def find(self, session: Session, id_: str) -> Proposal:
        """One proposal. Raises `request.not_found`."""
        return store.value(session, self._row(session, id_))

    def all(self, session: Session, state: ProposalState | None = None, limit: int | None = None) -> list[Proposal]:
        """Proposals, newest first; at most `limit`: each brings whole metadata files."""
        return [store.value(session, row) for row in store.proposals(session, state=state, limit=limit)]

    def about(self, session: Session, kind: str, subject: str, state: ProposalState | None = None) -> list[Proposal]:
        """Proposals of one kind about one subject, newest first."""
        found = store.proposals(session, state=state, kind=kind, subject=subject)
        return [store.value(session, row) for row in found]

    def signers(self, session: Session, id_: str) -> list[SignedBy]:
        """Who signed a proposal, oldest first. Raises `request.not_found`."""
        return [one.value() for one in store.signatures(session, self._row(session, id_))]

    # --- proposing ------------------------------------------------------------------------------------------------

    def propose(self, session: Session, kind: str, subject: str, by: str, why: str, build: Build) -> Proposal:
        """Propose what `build` puts into a draft; the keys here sign it at once.

        An open proposal that says the same is that proposal; one that says something else about the same subject is
        withdrawn. Raises what `build` does, `trust.nothing_changed`, and what checks and listeners do.
        """
        draft = self.repository.draft()
        build(draft)
        files, state = draft.files(), self.repository.state()
        before = store.proposals(session, state=ProposalState.OPEN, kind=kind, subject=subject)
        for row in before:
            if self._publishing.settle(session, row) and _same(store.files(session, row), files):
                return store.value(session, row)
        row = ProposalRow(
            kind=kind,
            subject=subject,
            state=ProposalState.OPEN.value,
            by=by,
            at=self._publishing.now(),
            why=why,
            changes=_sentences(files, state),
        )
        self._add(session, row, files, state)
        for one in before:  # after the new one is there: what that wants, a key of its own say, is not dropped
            if one.state == ProposalState.OPEN.value:
                self._publishing.close(session, one, ProposalState.WITHDRAWN, "proposed anew")
        for file in files:
            for key, signature in self.repository.sign_here(file).items():
                self._store(session, row, file.role, key, signature)
        self._publishing.settle(session, row)
        return store.value(session, row)

    def withdraw(self, session: Session, id_: str, why: str = "") -> Proposal:
        """Take a proposal back. Raises `request.not_found`, `trust.proposal_closed`."""
        row = self._open(session, id_)
        self._publishing.close(session, row, ProposalState.WITHDRAWN, why or "nobody said why")
        return store.value(session, row)

    # --- signing --------------------------------------------------------------------------------------------------

    def add_signatures(self, session: Session, id_: str, given: Signatures) -> Proposal:
        """Add one key's signatures; what then has all it needs is published.

        Raises `request.not_found`, `trust.proposal_closed`, `trust.key_not_asked`, `trust.signature_wrong`,
        `trust.overtaken`, and what checks and listeners do.
        """
        row = self._open(session, id_)
        if not self._publishing.settle(session, row):
            raise LinesideError("trust.proposal_closed", proposal=row.id, state=row.state)
        for role, signature in given.signatures.items():
            self._store(session, row, role, given.key, signature)
        self._publishing.settle(session, row)
        return store.value(session, row)

    def settle(self) -> None:
        """Finish what a kill left: publish what is complete, note what is published, mark what was overtaken."""
        with self._core.database.read() as session:
            waiting = store.proposals(session, state=ProposalState.OPEN)
            begun = bool(store.keys(session))
        if begun and not waiting:
            return
        with self._core.database.write() as session:
            if not begun:
                self._publishing.begin(session)
            for row in store.proposals(session, state=ProposalState.OPEN):
                self._publishing.settle(session, row)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _row(self, session: Session, id_: str, *, lock: bool = False) -> ProposalRow:
        row = store.proposal(session, id_, lock=lock)
        if row is None:
            raise LinesideError("request.not_found", what="proposal", name=id_)
        return row

    def _open(self, session: Session, id_: str) -> ProposalRow:
        row = self._row(session, id_, lock=True)
        if row.state != ProposalState.OPEN.value:
            raise LinesideError("trust.proposal_closed", proposal=row.id, state=row.state)
        return row

    def _add(
        self,
        session: Session,
        row: ProposalRow,
        files: Sequence[ProposedFile],
        state: State,
    ) -> None:
        session.add(row)
        session.flush()
        for file in files:
            session.add(
                FileRow(
                    proposal=row.number,
                    role=file.role,
                    version=file.version,
                    base=state.version(file.role),
                    text=file.text,
                    quorums=file.quorums,
                )
            )
        session.flush()
        self._publishing.say(session, "trust.proposed", row, f"{row.kind} of {row.subject} was proposed.")
        for file in files:
            subject, digest = f"{row.id} {file.role} {file.version}", digest_of(file.text.encode())
            self._core.audit.record(session, "trust.proposed", subject, digest=digest, why=row.why)

    def _store(self, session: Session, row: ProposalRow, role: str, key: str, signature: str) -> None:
        """Verify a signature against a file's bytes and keys, and keep it. One that is there already is well."""
        proposal = store.value(session, row)
        file = next((one for one in proposal.files if one.role == role), None)
        keys = asked(file, proposal.files, self.repository.state()) if file else {}
        if file is None or key not in keys:
            raise LinesideError("trust.key_not_asked", proposal=row.id, role=role, key=key[:12])
        try:
            keys[key].verify_signature(Signature(key, signature), file.text.encode())
        except (UnverifiedSignatureError, ValueError) as error:
            raise LinesideError("trust.signature_wrong", key=key[:12], role=role, proposal=row.id) from error
        if key in file.signed_by:
            return
        described = trust_key(role, keys[key])
        for check in self.checks:
            check(session, proposal, described)
        at, name = self._publishing.now(), described.name
        session.add(
            SignatureRow(
                proposal=row.number, role=role, key=key, name=name, signature=signature, at=at, by=current().name
            )
        )
        store.used(session, role, key, at)
        self._publishing.say(
            session, "trust.signed", row, f"{name or key[:12]} signed {role} {file.version} of {row.id}."
        )
        subject, digest = f"{row.id} {role} {file.version}", digest_of(file.text.encode())
        self._core.audit.record(session, "trust.signed", subject, digest=digest, why=f"key {key}")


def _sentences(files: Iterable[ProposedFile], state: State) -> tuple[str, ...]:
    present = {role: metadata.signed.to_dict() for role, metadata in state}
    found = [one for file in files for one in changes(file.role, present[file.role], part_of(file.text))]
    return tuple(one.sentence for one in found) or ("It is signed anew, as it is.",)


def _same(rows: Sequence[FileRow], files: Sequence[ProposedFile]) -> bool:
    there = {row.role: row.text for row in rows}
    wanted = {file.role: file.text for file in files}
    return there.keys() == wanted.keys() and all(same_but_for_the_times(there[role], wanted[role]) for role in wanted)
