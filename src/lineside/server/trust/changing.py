"""Changes of keys: from what a person asks for to what puts it into a draft."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from securesystemslib.signer import Key

from lineside.contract.ceremony import CHANGES, TAKEN_OVER, NewKey, ProposeChange
from lineside.contract.errors import LinesideError
from lineside.server.adapters.tuf import Draft, Repository
from lineside.server.adapters.tuf import metadata as rules
from lineside.server.adapters.tuf.state import State
from lineside.server.trust.keys import public_key, trust_key

Build = Callable[[Draft], object]


def subject_of(change: ProposeChange) -> str:
    """What a change is about: its role, or all of trust."""
    return "trust" if change.kind == "init" else change.role


def prepared(change: ProposeChange, repository: Repository) -> Build:
    """What puts a change into a draft. Raises `trust.kind_unknown`, `trust.change_incomplete`, `trust.key_invalid`,
    `trust.key_unknown`, `trust.role_unknown`, `trust.online_role`, `trust.taken_over`."""
    state = repository.state()
    if change.kind not in CHANGES:
        raise LinesideError("trust.kind_unknown", kind=change.kind, known=", ".join(CHANGES))
    if change.kind == "init":
        return _init(change, repository)
    if change.role not in rules.ROLES:
        raise LinesideError("trust.role_unknown", role=change.role, known=", ".join(rules.ROLES))
    if change.role not in TAKEN_OVER and (change.kind != "key.rotate" or change.public is not None):
        raise LinesideError("trust.online_role", role=change.role)
    if change.kind == "key.add":
        key = public_key(_needed(change, change.public, "a public key"), _needed(change, change.name, "a name"))
        return lambda draft: draft.add_key(change.role, key)
    if change.kind == "key.remove":
        gone = find_key(state, change.role, _needed(change, change.key, "a key"))
        return lambda draft: draft.remove_key(change.role, gone)
    if change.kind == "threshold":
        if change.threshold is None:
            raise LinesideError("trust.change_incomplete", kind=change.kind, what="a threshold")
        threshold = change.threshold
        return lambda draft: draft.set_threshold(change.role, threshold)
    if change.kind == "key.rotate":
        return _rotate(change, repository, state)
    return lambda draft: draft.touch(change.role)


def find_key(state: State, role: str, text: str) -> str:
    """The id of a role's key, by the beginning of its id or by its name. Raises `trust.key_unknown`."""
    keys = [trust_key(role, key) for key in state.keys_of(role)]
    found = [key.id for key in keys if key.name == text] or [key.id for key in keys if key.id.startswith(text)]
    if not text or len(found) != 1:
        raise LinesideError("trust.key_unknown", role=role, key=text[:64])
    return found[0]


def _rotate(change: ProposeChange, repository: Repository, state: State) -> Build:
    """A new key in the place of one; for a role of the control plane's own, a new key of its own."""
    role, trusted = change.role, state.role(change.role)
    if change.key is None and len(trusted.keyids) != 1:
        raise LinesideError("trust.change_incomplete", kind=change.kind, what="the key to be replaced")
    gone = trusted.keyids[0] if change.key is None else find_key(state, role, change.key)
    if role not in TAKEN_OVER:
        fresh = repository.make_key(role)
    else:
        pem = _needed(change, change.public, "a public key")
        fresh = public_key(pem, _needed(change, change.name, "a name"))

    def build(draft: Draft) -> None:
        draft.add_key(role, fresh)
        draft.remove_key(role, gone)

    return build


def _init(change: ProposeChange, repository: Repository) -> Build:
    """All keys of the roles that decide, at once: from keys that lie here to keys that lie elsewhere."""
    elsewhere = next((role for role in TAKEN_OVER if not repository.here(role)), None)
    if elsewhere is not None:
        raise LinesideError("trust.taken_over", role=elsewhere)
    keys = {role: [one for one in change.keys if one.role == role] for role in TAKEN_OVER}
    odd = next((one.role for one in change.keys if one.role not in TAKEN_OVER), None)
    if odd is not None:
        raise LinesideError("trust.role_unknown", role=odd, known=", ".join(TAKEN_OVER))
    missing = next((role for role in TAKEN_OVER if not keys[role]), None)
    if missing is not None:
        raise LinesideError("trust.change_incomplete", kind="init", what=f"a key for {missing}")
    ready = {role: _publics(found) for role, found in keys.items()}

    def build(draft: Draft) -> None:
        for role in TAKEN_OVER:
            draft.replace_keys(role, ready[role], change.thresholds.get(role, 1))

    return build


def _publics(keys: Iterable[NewKey]) -> list[Key]:
    return [public_key(one.public, one.name) for one in keys]


def _needed(change: ProposeChange, value: str | None, what: str) -> str:
    if not value or not value.strip():
        raise LinesideError("trust.change_incomplete", kind=change.kind, what=what)
    return value
