"""Trust as it stands: every role, its keys and when each was used last; and what of it a person must see to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from lineside.contract.ceremony import TAKEN_OVER, ProposalState, RoleView, TrustKey, TrustMode, TrustView
from lineside.contract.overview import Need
from lineside.server.adapters.tuf import metadata as rules
from lineside.server.adapters.tuf.state import State
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.services import Core
from lineside.server.trust import store
from lineside.server.trust.keys import trust_key
from lineside.server.trust.service import Proposals

SOON = timedelta(days=60)
"""How long before its expiry somebody is asked to sign a role anew whose keys lie elsewhere."""


class TrustPage:
    """Looks at trust; changes nothing."""

    def __init__(self, core: Core, proposals: Proposals) -> None:
        self._core, self._proposals = core, proposals

    def mode(self) -> TrustMode:
        """Where the keys lie that decide what devices install."""
        return self._proposals.mode()

    def look(self, session: Session) -> TrustView:
        """Everything on one page."""
        repository = self._proposals.repository
        state, remembered = repository.state(), store.keys(session)
        root = repository.read(f"{state.root.signed.version}.root.json")
        return TrustView(
            mode=self._proposals.mode(),
            roles=tuple(self._role(state, role, remembered) for role in rules.ROLES),
            root_sha256=sha256(root).hexdigest(),
            open=len(store.proposals(session, state=ProposalState.OPEN)),
        )

    def needs(self, session: Session) -> Iterator[Need]:
        """What only people with keys can settle: signatures that are waited for, and metadata that expires."""
        waiting = len(store.proposals(session, state=ProposalState.OPEN))
        if waiting:
            what = f"{waiting} proposal{'' if waiting == 1 else 's'} wait{'s' if waiting == 1 else ''} for signatures"
            yield Need(what=what, href="/trust", command="lineside trust proposals")
        if self._core.database.shared:
            yield from self._lacking()
        if self._proposals.mode() is TrustMode.DEVELOPER and all(map(self._proposals.can_sign, TAKEN_OVER)):
            return  # the loop signs them in time
        now, state = self._core.clock.now(), self._proposals.repository.state()
        for role in TAKEN_OVER:
            left = dict(state)[role].signed.expires - now
            if left < SOON and not self._proposals.can_sign(role):
                yield Need(what=_words(role, left), href="/trust", command=f"lineside trust renew {role}")

    def _lacking(self) -> Iterator[Need]:
        """Keys of control planes that another one has changed, and nobody has copied here."""
        lacking = [role for role in rules.ROLES if role not in TAKEN_OVER and not self._proposals.can_sign(role)]
        if lacking:
            what = f"This control plane lacks the key of {', '.join(lacking)} that another one has"
            yield Need(what=what, href="/trust", command="Copy R/keys/tuf-*.pem from there (docs/databases.md)")

    def _role(self, state: State, role: str, remembered: dict[tuple[str, str], store.KeyRow]) -> RoleView:
        signed, trusted = dict(state)[role].signed, state.role(role)
        here = self._proposals.repository.here(role)
        return RoleView(
            name=role,
            version=signed.version,
            threshold=trusted.threshold,
            expires=rfc3339(signed.expires),
            keys=tuple(self._key(state, role, key, here, remembered.get((role, key))) for key in trusted.keyids),
        )

    def _key(self, state: State, role: str, key: str, here: tuple[str, ...], row: store.KeyRow | None) -> TrustKey:
        public = next(one for one in state.keys_of(role) if one.keyid == key)
        metadata = dict(state)[role]
        made: datetime | None = None
        if key in here and key in metadata.signatures:  # what the control plane signs by itself passes no table
            made = rules.signed_at(role, metadata.signed.expires)
        used = [at for at in (row.last_used if row else None, rfc3339(made) if made else None) if at]
        return trust_key(
            role,
            public,
            here=key in here,
            added_at=row.added_at if row else None,
            last_used=max(used, key=parse_rfc3339, default=None),
        )


def _words(role: str, left: timedelta) -> str:
    if left <= timedelta(0):
        return f"The metadata of {role} has expired: nothing new installs until it is signed anew"
    return f"The metadata of {role} expires in {left.days} day{'' if left.days == 1 else 's'}: sign it anew"
