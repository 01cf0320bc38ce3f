"""What a proposed file changes, and whether its kind of proposal calls for it."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from lineside.contract.ceremony_changes import Change, changes, part_of, unexpected


def key(public: str, name: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}
    return found | ({"x-lineside-name": name} if name else {})


def delegated(name: str, *keys: str) -> dict[str, Any]:
    return {"name": name, "keyids": list(keys), "threshold": 1, "terminating": True, "paths": [f"{name}/*"]}


ROOT: dict[str, Any] = {
    "_type": "root",
    "version": 1,
    "expires": "2027-01-01T00:00:00Z",
    "consistent_snapshot": True,
    "keys": {"a": key("aa", "root-1"), "b": key("bb")},
    "roles": {"root": {"keyids": ["a"], "threshold": 1}, "targets": {"keyids": ["b"], "threshold": 1}},
}
TARGETS: dict[str, Any] = {
    "_type": "targets",
    "version": 1,
    "expires": "2027-01-01T00:00:00Z",
    "targets": {},
    "delegations": {"keys": {"c": key("cc", "anna")}, "roles": [delegated("approvers", "c")]},
}
APPROVERS: dict[str, Any] = {
    "_type": "targets",
    "version": 1,
    "expires": "2027-01-01T00:00:00Z",
    "targets": {"models/a-1.json": {"length": 1, "hashes": {"sha256": "11"}}},
}


def changed(part: dict[str, Any], **paths: Any) -> dict[str, Any]:
    """A copy with values at dotted paths (`__` for the dots)."""
    found = deepcopy(part)
    for path, value in paths.items():
        *folders, last = path.split("__")
        inner = found
        for folder in folders:
            inner = inner[folder]
        inner[last] = value
    return found


def whats(role: str, before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.what, one.role) for one in changes(role, before, after)]


def test_a_later_version_with_a_later_expiry_changes_nothing() -> None:
    assert whats("root", ROOT, changed(ROOT, version=2, expires="2028-01-01T00:00:00Z")) == []


def test_a_target_that_is_added_carries_what_its_signer_says() -> None:
    target = {"length": 1, "hashes": {"sha256": "22"}, "custom": {"by": "anna"}}
    after = deepcopy(APPROVERS)
    after["targets"]["models/b-1.json"] = target
    (found,) = changes("approvers", APPROVERS, after)
    assert (found.what, found.subject, found.digest) == ("target.added", "models/b-1.json", "sha256:22")
    assert found.custom == {"by": "anna"}
    assert unexpected("model.approve", "b:1", [found]) == ()


def test_a_target_with_other_content_is_no_approval() -> None:
    after = deepcopy(APPROVERS)
    after["targets"]["models/a-1.json"]["hashes"]["sha256"] = "22"
    found = changes("approvers", APPROVERS, after)
    assert [one.what for one in found] == ["target.changed"]
    assert unexpected("model.approve", "a:1", found)


def test_a_path_that_belongs_to_another_role_is_nothing_to_sign() -> None:
    for path in ("apps/a-1.json", "models/x/a-1.json", "models/"):
        after = deepcopy(APPROVERS)
        after["targets"][path] = {"length": 1, "hashes": {"sha256": "22"}}
        assert whats("approvers", APPROVERS, after) == [("other", "approvers")]


def test_keys_and_thresholds() -> None:
    after = deepcopy(ROOT)
    after["keys"]["d"] = key("dd", "root-2")
    after["roles"]["root"] = {"keyids": ["a", "d"], "threshold": 2}
    found = changes("root", ROOT, after)
    assert [one.sentence for one in found] == [
        "The key d (root-2) may sign for root.",
        "2 keys must sign for root; it was 1.",
    ]
    assert unexpected("key.add", "root", found) == (found[1],)
    assert unexpected("threshold", "root", found) == (found[0],)
    assert unexpected("key.add", "targets", found) == found


def test_one_key_under_two_ids_would_count_twice() -> None:
    after = deepcopy(ROOT)
    after["keys"]["d"] = key("aa", "root-1 again")
    after["roles"]["root"]["keyids"] = ["a", "d"]
    assert ("other", "root") in whats("root", ROOT, after)


@pytest.mark.parametrize(
    ("role", "before", "after"),
    [
        ("root", ROOT, changed(ROOT, consistent_snapshot=False)),
        ("root", ROOT, changed(ROOT, keys__a=key("ee", "root-1"))),
        ("root", ROOT, changed(ROOT, keys__e=key("ee"))),
        ("root", ROOT, changed(ROOT, roles={"root": ROOT["roles"]["root"]})),
        ("root", ROOT, changed(ROOT, roles__root={"keyids": ["a"], "threshold": 1, "more": 1})),
        ("root", ROOT, changed(ROOT, more=1)),
        ("targets", TARGETS, changed(TARGETS, targets={"models/a-1.json": {"hashes": {"sha256": "1"}}})),
        ("targets", TARGETS, changed(TARGETS, delegations__roles=[delegated("approvers", "c") | {"paths": ["*"]}])),
        ("targets", TARGETS, changed(TARGETS, delegations__roles=[])),
        (
            "targets",
            TARGETS,
            changed(TARGETS, delegations__roles=[delegated("first", "c"), delegated("approvers", "c")]),
        ),
        ("approvers", APPROVERS, changed(APPROVERS, delegations=TARGETS["delegations"])),
    ],
)
def test_whatever_is_not_understood_no_kind_calls_for(role: str, before: Any, after: Any) -> None:
    found = changes(role, before, after)
    assert "other" in [one.what for one in found]
    for kind in ("init", "key.add", "key.remove", "key.rotate", "threshold", "renew", "model.approve", "made up"):
        assert unexpected(kind, role, found)


def test_what_a_kind_calls_for_must_be_there() -> None:
    assert unexpected("model.approve", "a:1", []) is None
    assert unexpected("key.rotate", "root", [Change(what="key.added", role="root", subject="d")]) is None
    assert unexpected("renew", "root", []) == ()
    assert unexpected("made up", "root", []) is None
    online = Change(what="key.added", role="timestamp", subject="d")
    assert unexpected("init", "trust", [online]) == (online,)


def test_line_ends_in_a_key_are_read_as_they_were_signed() -> None:
    assert part_of('{"public":"-----BEGIN\nKEY"}') == {"public": "-----BEGIN\nKEY"}
    for text in ("[]", "{", "1"):
        with pytest.raises((ValueError, json.JSONDecodeError)):
            part_of(text)
