"""People with keys of their own, and a device that follows a repository: what tests of ceremonies share."""

from __future__ import annotations

import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner

from lineside.agent.updating.verdicts import Begin, Check, Done, Found, Refresh
from lineside.agent.updating.verifying import Verifier
from lineside.contract.ceremony import TAKEN_OVER, NewKey, Proposal, ProposalState, ProposeChange, Signatures
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.adapters.tuf import NewTarget, Repository
from lineside.server.services import Core
from lineside.server.trust.changing import prepared, subject_of
from lineside.server.trust.service import Proposals


class Hand:
    """Somebody with a private key."""

    def __init__(self, name: str, *, ecdsa: bool = False) -> None:
        self.name = name
        self.signer = CryptoSigner.generate_ecdsa() if ecdsa else CryptoSigner.generate_ed25519()
        self.id = self.signer.public_key.keyid
        public = self.signer.private_key.public_key() if hasattr(self.signer, "private_key") else None
        self.public = (
            (public or self.signer._private_key.public_key())
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def key(self, role: str) -> NewKey:
        return NewKey(role=role, public=self.public, name=self.name)

    def sign(self, proposal: Proposal) -> Signatures:
        """Over every file that asks for this key."""
        asked = [f for f in proposal.files if any(self.id in quorum.keys for quorum in f.quorums)]
        return Signatures(key=self.id, signatures={f.role: self.signer.sign(f.text.encode()).signature for f in asked})


class House:
    """A control plane's trust, and what people do to it."""

    def __init__(self, core: Core, repository: Repository | None = None) -> None:
        self.core = core
        self.proposals = Proposals(core, repository)

    def propose(self, **change: object) -> Proposal:
        wanted = ProposeChange(**change)  # type: ignore[arg-type]
        build = prepared(wanted, self.proposals.repository)
        with self.core.database.write() as session:
            return self.proposals.propose(session, wanted.kind, subject_of(wanted), "admin", wanted.why, build)

    def approve(self, path: str, data: bytes = b"{}", kind: str = "model.approve") -> Proposal:
        new = NewTarget(path=path, digest=digest_of(data), size=len(data))
        with self.core.database.write() as session:
            return self.proposals.propose(session, kind, path, "admin", "", lambda draft: draft.add(new))

    def sign(self, proposal: Proposal, *hands: Hand) -> Proposal:
        for hand in hands:
            if proposal.state is not ProposalState.OPEN:
                break
            with self.core.database.write() as session:
                proposal = self.proposals.add_signatures(session, proposal.id, hand.sign(proposal))
        return proposal

    def find(self, id_: str) -> Proposal:
        with self.core.database.read() as session:
            return self.proposals.find(session, id_)

    def take_over(self, hands: dict[str, list[Hand]], **thresholds: int) -> Proposal:
        keys = tuple(hand.key(role) for role in TAKEN_OVER for hand in hands[role])
        proposal = self.propose(kind="init", keys=keys, thresholds=thresholds)
        return self.sign(proposal, *(hand for role in TAKEN_OVER for hand in hands[role]))


class Refused(Exception):
    """A device does not believe what it was given."""


class Follower:
    """A device's verifier, as the agent runs it, which keeps what it believes between look-ups."""

    def __init__(self, folder: Path, repository: Repository, root: bytes | None = None) -> None:
        """It joined with `root`; the newest when none is given."""
        self._folder, self._repository = folder, repository
        self._root = root or repository.root().encode()
        folder.mkdir(parents=True)

    def find(self, path: str) -> str | None:
        """The digest that is signed at a path. Raises `Refused`."""
        verifier = Verifier(Begin(str(self._folder / "metadata"), self._root, time.time()), self._ask)
        for question in (Refresh(), Check(path)):
            answer = verifier.answer(question)
            if not isinstance(answer, Done):
                raise Refused(f"{answer.code}: {answer.why}")
        return answer.digest

    def _ask(self, url: str, limit: int) -> Found:
        try:
            return Found(self._repository.read(url.removeprefix("tuf/")))
        except LinesideError:
            return Found(missing=True)
