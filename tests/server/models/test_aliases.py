"""A name is only a pointer: set by compare-and-set, with history, event and audit row, and usable as a version."""

from __future__ import annotations

import pytest

from lineside.client import Client
from lineside.contract.delivery import DeliveryRequest
from lineside.contract.errors import LinesideError
from lineside.contract.group import GroupRequest
from lineside.contract.model import Decision, ModelState
from lineside.contract.registry import PointAlias, RemoveAlias, read_reference
from lineside.server.access.caller import Caller, acting
from lineside.server.models.aliases import Aliases
from lineside.server.models.service import ModelsService
from lineside.server.services import Core
from lineside.server.testing import Running
from tests.server.models.making import PASSED, register, registration

ADA = Caller(name="ada", by="session")
TO_APPROVED = (ModelState.IN_TWIN, ModelState.AWAITING_APPROVAL, ModelState.APPROVED)


@pytest.fixture
def aliases(core: Core, registry: ModelsService) -> Aliases:
    for number in (1, 2, 3):
        register(core, registry, number)
    return Aliases(core, registry)


def move(core: Core, models: ModelsService, version: int, *states: ModelState) -> None:
    for state in states:
        with core.database.write() as session:
            models.move(session, "tags", version, state, "as it goes")


def test_a_name_points_where_it_was_put(aliases: Aliases) -> None:
    with acting(ADA):
        made = aliases.point("tags", "production", PointAlias(version=2, reason="it holds"))
    assert (made.model, made.alias, made.version, made.by, made.why) == ("tags", "production", 2, "ada", "it holds")
    assert aliases.find("tags@production").version == 2
    aliases.point("tags", "production", PointAlias(version=3, expected=2))
    assert aliases.find("tags@production").version == 3


@pytest.mark.parametrize("expected", [0, 1])
def test_a_name_that_was_moved_meanwhile_is_not_moved(aliases: Aliases, expected: int) -> None:
    aliases.point("tags", "production", PointAlias(version=2, expected=0))
    with pytest.raises(LinesideError, match=r"^model.alias_moved:.*version 2"):
        aliases.point("tags", "production", PointAlias(version=3, expected=expected))
    with pytest.raises(LinesideError, match=r"^model.alias_moved:"):
        aliases.remove("tags", "production", RemoveAlias(expected=3))
    assert aliases.find("tags@production").version == 2


def test_every_move_is_in_history_events_and_audit_trail(core: Core, aliases: Aliases) -> None:
    with acting(ADA):
        aliases.point("tags", "production", PointAlias(version=1))
        aliases.point("tags", "production", PointAlias(version=2, reason="better"))
        aliases.point("tags", "production", PointAlias(version=2))  # it is there: nothing moves
        aliases.remove("tags", "production", RemoveAlias(reason="line is closed"))
    moves = [(one.before, one.version, one.by, one.why) for one in aliases.history("tags", "production").moves]
    assert moves == [(2, None, "ada", "line is closed"), (1, 2, "ada", "better"), (None, 1, "ada", "")]
    with core.database.read() as session:
        events = core.events.page(session, before=None, kind=None, limit=3).events
    assert [(one.kind, one.subject) for one in reversed(events)] == [
        ("model.alias_pointed", "tags@production"),
        ("model.alias_pointed", "tags@production"),
        ("model.alias_removed", "tags@production"),
    ]
    with pytest.raises(LinesideError, match=r"^request.not_found:"):
        aliases.find("tags@production")


def test_latest_and_champion_are_always_there(core: Core, registry: ModelsService, aliases: Aliases) -> None:
    assert aliases.find("tags").version == aliases.find("tags@latest").version == 3
    with pytest.raises(LinesideError, match=r"^request.not_found:"):
        aliases.find("tags@champion")
    move(core, registry, 1, *TO_APPROVED)
    move(core, registry, 2, *TO_APPROVED)
    assert aliases.find("tags@champion").version == 2
    aliases.point("tags", "champion", PointAlias(version=1, expected=0))
    assert aliases.find("tags@champion").version == 1
    assert [(one.alias, one.version, one.state) for one in aliases.all("tags")] == [
        ("champion", 1, ModelState.APPROVED),
        ("latest", 3, ModelState.CANDIDATE),
    ]
    aliases.remove("tags", "champion", RemoveAlias())
    assert aliases.find("tags@champion").version == 2


@pytest.mark.parametrize("alias", ["latest", "7", "", "a b", "../x"])
def test_what_cannot_name_an_alias_is_refused(aliases: Aliases, alias: str) -> None:
    with pytest.raises(LinesideError, match=r"^request.invalid:"):
        aliases.point("tags", alias, PointAlias(version=1))


@pytest.mark.parametrize("text", ["", "tags:", "tags@", "tags:x", "tags:-1", "tags:1@x", "a b", "tags:" + "9" * 12])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(LinesideError, match=r"^request.invalid:"):
        read_reference(text)


def test_a_retired_version_gets_no_name(core: Core, registry: ModelsService, aliases: Aliases) -> None:
    out = register(core, registry, 4, gates=(PASSED.__class__(
        name="minimum_map", level="BLOCK", passed=False, value=0.1, limit=0.4, sentence="too low"),))  # fmt: skip
    assert registry.retire("tags", out.version, Decision()).state is ModelState.RETIRED
    with pytest.raises(LinesideError, match=r"^model.alias_retired:"):
        aliases.point("tags", "production", PointAlias(version=out.version))


def test_only_what_can_never_ship_is_retired(core: Core, registry: ModelsService, aliases: Aliases) -> None:
    with pytest.raises(LinesideError, match=r"^state.illegal_move:"):
        registry.retire("tags", 1, Decision())
    registry.reject("tags", 2, Decision(reason="no"))
    with acting(ADA):
        retired = registry.retire("tags", 2, Decision(reason="made room"))
    assert (retired.state, retired.decided_by, retired.reason) == (ModelState.RETIRED, "ada", "made room")
    move(core, registry, 1, *TO_APPROVED)
    with pytest.raises(LinesideError, match=r"^model.withdraw_first:"):
        registry.retire("tags", 1, Decision())
    with core.database.read() as session:
        assert core.events.page(session, before=None, kind="model.retired", limit=9).total == 1


def test_a_delivery_and_measures_take_an_alias_for_a_version(lineside: Running) -> None:
    client = Client(lineside.people_url)
    for number in (1, 2):
        client.register_model(registration(lineside.core, number))
    client.point_alias("tags", "production", PointAlias(version=1))
    client.create_group(GroupRequest(name="line-4"))
    assert client.deliver(DeliveryRequest(model="tags@production", group="line-4")).what == "tags:1"
    assert client.measures(model="tags@production") == []
    for ask in (
        lambda: client.deliver(DeliveryRequest(model="tags@never", group="line-4")),
        lambda: client.measures(model="tags@never"),
    ):
        with pytest.raises(LinesideError, match=r"^request.not_found:.*tags@never"):
            ask()


def test_pages_and_filters(lineside: Running) -> None:
    client, there = Client(lineside.people_url), lineside.core
    for number in range(1, 6):
        client.register_model(registration(there, number))
    client.register_model(registration(there, 9, name="other"))
    client.reject_model("tags", 2, Decision(reason="no"))
    first = client.model_page(limit=4)
    assert ([one.label for one in first.models], first.total) == (["other:1", "tags:5", "tags:4", "tags:3"], 6)
    rest = client.model_page(limit=4, before=first.next)
    assert ([one.label for one in rest.models], rest.next) == (["tags:2", "tags:1"], None)
    assert [one.label for one in client.models(states="rejected, retired")] == ["tags:2"]
    assert [one.label for one in client.models(q="OTH")] == ["other:1"]
    assert len(client.models(name="tags", dataset="ds-1")) == 5
    assert client.models(dataset="ds-2") == []
    for wrong in ({"states": "splendid"}, {"before": 10**30}, {"before": -1}, {"limit": 501}):
        with pytest.raises(LinesideError, match=r"^request.invalid:"):
            client.model_page(**wrong)  # type: ignore[arg-type]


def test_names_over_http(lineside: Running) -> None:
    client = Client(lineside.people_url)
    for number in (1, 2):
        client.register_model(registration(lineside.core, number))
    assert client.point_alias("tags", "production", PointAlias(version=1, expected=0)).version == 1
    assert client.find_model("tags@production") == client.model("tags", 1)
    assert client.find_model("tags:2") == client.find_model("tags")
    assert [one.alias for one in client.aliases("tags")] == ["latest", "production"]
    assert client.remove_alias("tags", "production", RemoveAlias()).version == 1
    newest = client.alias_history("tags", "production", limit=1)
    assert ([one.version for one in newest.moves], newest.total) == ([None], 2)
    older = client.alias_history("tags", "production", before=newest.next)
    assert ([one.version for one in older.moves], older.total, older.next) == ([1], 2, None)
    assert client.alias_history("tags", "nobody").moves == ()
    for wrong_page in ({"limit": 0}, {"limit": 1001}, {"before": 10**30}):
        with pytest.raises(LinesideError, match=r"^request.invalid:"):
            client.alias_history("tags", "production", **wrong_page)
    for wrong in ("never", "never@latest", "tags:9", "tags@production"):
        with pytest.raises(LinesideError, match=r"^request.not_found:"):
            client.find_model(wrong)
    with pytest.raises(LinesideError, match=r"^request.not_found:"):
        client.aliases("never")
