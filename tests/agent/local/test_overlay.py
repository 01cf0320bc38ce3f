"""What was deployed locally lies on top of the desired document until a later revision names the same component."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from lineside.agent.local.model import LocalComponent, Overlay
from lineside.agent.local.overlay import apply, changed, configured, prune, with_components, without
from lineside.contract.configuration import effective
from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import Desired, DesiredComponent


def item(name: str, version: str = "1.0.0", folder: str = "apps") -> DesiredComponent:
    """A component of a document."""
    return DesiredComponent(name=name, version=version, target=f"{folder}/{name}-{version}", recipe_digest="")


def local(name: str, since: int, version: str = "9.0.0") -> LocalComponent:
    """A component that was deployed here."""
    return LocalComponent(component=item(name, version, "local"), since=since)


def document(revision: int, *names: str) -> Desired:
    """A desired document."""
    return Desired(device="cell-1", revision=revision, components=tuple(item(name) for name in names))


def versions(found: Desired) -> dict[str, str]:
    """What it names."""
    return {one.name: one.version for one in found.components}


def test_a_local_component_takes_the_place_of_the_desired_one_or_stands_beside_it() -> None:
    overlay = with_components(Overlay(), [local("app", 3), local("tool", 3)])
    found = apply(document(3, "app", "other"), overlay)
    assert versions(found) == {"app": "9.0.0", "other": "1.0.0", "tool": "9.0.0"}
    assert found.revision == 3
    assert apply(document(3, "app"), Overlay()) == document(3, "app")


def test_a_later_revision_that_names_it_wins() -> None:
    overlay = with_components(Overlay(), [local("app", 3), local("tool", 3)])
    assert prune(overlay, document(3, "app")) == overlay
    assert set(prune(overlay, document(4, "app")).components) == {"tool"}
    assert prune(overlay, document(4, "other")) == overlay


def test_removing_hides_a_desired_component_until_a_later_revision_names_it() -> None:
    base = document(3, "app", "other")
    overlay = without(with_components(Overlay(), [local("tool", 3)]), "app", base)
    overlay = without(overlay, "tool", base)
    assert versions(apply(base, overlay)) == {"other": "1.0.0"}
    assert overlay.components == {}
    assert prune(overlay, base) == overlay
    assert prune(overlay, document(4, "app")).removed == {}
    assert prune(overlay, document(4, "other")).removed == {}
    back = with_components(overlay, [local("app", 3)])
    assert versions(apply(base, back)) == {"app": "9.0.0", "other": "1.0.0"}
    assert changed(overlay, back) == {"app"}


_keys = st.sampled_from(["a", "b", "c"])
_values: Any = st.recursive(
    st.integers(0, 3) | st.none(), lambda inner: st.dictionaries(_keys, inner, max_size=2), max_leaves=6
)
_objects = st.dictionaries(_keys, _values, max_size=3)
_pointers = st.lists(st.sampled_from(["/a", "/b", "/a/b", "/a/c", "/b/a"]), max_size=2).map(tuple)
_updates = st.builds(ConfigurationUpdate, merge=_objects, reset=_pointers)


@example({"a": {"a": None}}, ConfigurationUpdate(merge={"a": None}), ConfigurationUpdate(merge={"a": {}}))
@given(_objects, _updates, _updates)
def test_two_updates_in_one_are_the_one_after_the_other(running: dict[str, Any], one: Any, two: Any) -> None:
    both = configured(msgspec.structs.replace(item("app"), configuration_update=one), two).configuration_update
    assert effective(running, {}, both) == effective(effective(running, {}, one), {}, two)
