"""A draft: what the next metadata would say. It changes a copy of the present state and writes nothing.

`files` are the exact bytes to be signed, and whose signatures each of them needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Key, Root, TargetFile, Targets
from tuf.api.serialization.json import CanonicalJSONSerializer

from lineside.contract.ceremony import ProposedFile, Quorum
from lineside.contract.errors import LinesideError
from lineside.contract.trust import ROLE_PATHS
from lineside.server.adapters.tuf import metadata as rules
from lineside.server.adapters.tuf.state import State, delegator_of, quorum_of


@dataclass(frozen=True, kw_only=True)
class NewTarget:
    """A target to sign: its path, the bytes' digest (`sha256:<hex>`) and size, and what its signer says about it."""

    path: str
    digest: str
    size: int
    custom: dict[str, Any] | None = None


class Draft:
    """Changes of signed metadata, not signed yet."""

    def __init__(self, state: State, next_version: Callable[[str], int], now: datetime) -> None:
        """`next_version` gives a version that a role never had."""
        self._state, self._next, self._now = state, next_version, now
        self._root: Root = deepcopy(state.root.signed)
        self._targets: Targets = deepcopy(state.targets.signed)
        self._roles: dict[str, Targets] = {role: deepcopy(one.signed) for role, one in state.roles.items()}
        self._changed: set[str] = set()

    # --- targets --------------------------------------------------------------------------------------------------

    def add(self, new: NewTarget, *, replace: bool = False) -> bool:
        """Add a target to the role of its path; False when it is there already, with what its signer said.

        Raises `trust.target_exists` when it names other bytes and is not to be replaced, `trust.no_role`.
        """
        role = rules.role_of(new.path)
        targets, hashes = self._roles[role].targets, {"sha256": new.digest.removeprefix("sha256:")}
        present = targets.get(new.path)
        if present is not None and present.hashes == hashes:
            return False
        if present is not None and not replace:
            raise LinesideError("trust.target_exists", path=new.path)
        extra = None if new.custom is None else {"custom": new.custom}
        targets[new.path] = TargetFile(new.size, hashes, new.path, extra)
        self._changed.add(role)
        return True

    def remove(self, path: str) -> None:
        """Take a target away: devices that do not run it yet will not install it. Raises `request.not_found`."""
        role = rules.role_of(path)
        if self._roles[role].targets.pop(path, None) is None:
            raise LinesideError("request.not_found", what="signed target", name=path)
        self._changed.add(role)

    # --- keys -----------------------------------------------------------------------------------------------------

    def add_key(self, role: str, key: Key) -> None:
        """Trust a further key for a role. Raises `trust.key_known`, `trust.role_unknown`."""
        delegator = self._delegator(role)
        if key.keyid in delegator.get_delegated_role(role).keyids:
            raise LinesideError("trust.key_known", role=role, key=key.keyid[:12])
        delegator.add_key(key, role)
        self._delegated(role)

    def remove_key(self, role: str, key: str) -> None:
        """Trust a key no longer; what the role signed is to be signed again without it.

        Raises `trust.key_unknown`, `trust.too_few_keys`, `trust.role_unknown`.
        """
        delegator = self._delegator(role)
        found = delegator.get_delegated_role(role)
        if key not in found.keyids:
            raise LinesideError("trust.key_unknown", role=role, key=key[:12])
        if len(found.keyids) - 1 < found.threshold:
            raise LinesideError("trust.too_few_keys", role=role, keys=len(found.keyids) - 1, threshold=found.threshold)
        delegator.revoke_key(key, role)
        self._delegated(role)
        self._resign(role)

    def replace_keys(self, role: str, keys: Iterable[Key], threshold: int) -> None:
        """Trust these keys for a role and no others. Raises `trust.too_few_keys`, `trust.role_unknown`."""
        delegator, wanted = self._delegator(role), {key.keyid: key for key in keys}
        for key in wanted.values():
            delegator.add_key(key, role)
        for keyid in set(delegator.get_delegated_role(role).keyids) - wanted.keys():
            delegator.revoke_key(keyid, role)
        self.set_threshold(role, threshold)
        self._delegated(role)
        self._resign(role)

    def set_threshold(self, role: str, threshold: int) -> None:
        """How many keys must sign for a role. Raises `trust.too_few_keys`, `trust.role_unknown`."""
        found = self._delegator(role).get_delegated_role(role)
        if not 1 <= threshold <= len(found.keyids):
            raise LinesideError("trust.too_few_keys", role=role, keys=len(found.keyids), threshold=threshold)
        if found.threshold != threshold:
            found.threshold = threshold
            self._delegated(role)

    def touch(self, role: str) -> None:
        """Sign a role anew as it is, with a later expiry. Raises `trust.role_unknown`."""
        self._delegator(role)
        self._resign(role)

    # --- what came of it ------------------------------------------------------------------------------------------

    @property
    def root(self) -> Root:
        """The root as it would be."""
        return self._root

    def files(self) -> tuple[ProposedFile, ...]:
        """Every file that changes, with its next version. Raises `trust.nothing_changed`."""
        changed = self._changed | self._unsigned()
        if not changed:
            raise LinesideError("trust.nothing_changed")
        order = ("root", "targets", *ROLE_PATHS)
        return tuple(self._file(role) for role in order if role in changed)

    def _file(self, role: str) -> ProposedFile:
        signed = deepcopy(self._signed(role))
        signed.version = self._state.root.signed.version + 1 if role == "root" else self._next(role)
        signed.expires = rules.expiry(role, self._now)
        text = CanonicalJSONSerializer().serialize(signed).decode()
        return ProposedFile(role=role, version=signed.version, text=text, quorums=self._quorums(role))

    def _quorums(self, role: str) -> tuple[Quorum, ...]:
        quorum = quorum_of(delegator_of(role, self._root, self._targets).get_delegated_role(role))
        before = self._state.quorum("root")
        return (before, quorum) if role == "root" and before != quorum else (quorum,)

    def _unsigned(self) -> set[str]:
        """Roles whose present metadata would not be good any more under the keys and thresholds of this draft."""
        found = set()
        for role, metadata in (("targets", self._state.targets), *self._state.roles.items()):
            try:
                delegator = delegator_of(role, self._root, self._targets)
                delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
            except RepositoryError:
                found.add(role)
        return found

    def _signed(self, role: str) -> Root | Targets:
        if role == "root":
            return self._root
        return self._targets if role == "targets" else self._roles[role]

    def _delegator(self, role: str) -> Root | Targets:
        if role not in rules.ROLES:
            raise LinesideError("trust.role_unknown", role=role, known=", ".join(rules.ROLES))
        return delegator_of(role, self._root, self._targets)

    def _delegated(self, role: str) -> None:
        """What says which keys count for `role` has changed."""
        self._changed.add("targets" if role in ROLE_PATHS else "root")

    def _resign(self, role: str) -> None:
        if role not in rules.TOP_ONLINE:
            self._changed.add(role)
