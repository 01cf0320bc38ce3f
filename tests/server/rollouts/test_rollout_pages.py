"""Rollouts come in pages: a year of them is never one answer."""

from __future__ import annotations

import httpx
import pytest

from lineside.client import Client
from lineside.contract.deployment import ComponentSpec
from lineside.contract.errors import LinesideError
from lineside.contract.rollout import RolloutPage, RolloutState
from lineside.server.deployments.store import DeploymentRow
from lineside.server.rollouts import pages
from lineside.server.rollouts.store import RolloutRow
from lineside.server.testing import Running

pytestmark = pytest.mark.both_databases


@pytest.fixture
def client(lineside: Running) -> Client:
    """A client of a control plane with seven rollouts: four to `line`, three to `office`."""
    at = "2026-01-01T00:00:00.000Z"
    with lineside.core.database.write() as session:
        for number in range(1, 8):
            group = "line" if number % 2 else "office"
            deployed = DeploymentRow(
                number=number,
                group=group,
                name="",
                components={"a": ComponentSpec(component_version=f"{number}.0.0")},
                failure_policy="ROLLBACK",
                digest=f"sha256:{number:064}",
                created_at=at,
                staging=False,
            )
            session.add(deployed)
            session.flush()
            session.add(RolloutRow(number=number, group=group, state=RolloutState.SUCCEEDED, created_at=at))
    return Client(lineside.people_url)


def _of(page: RolloutPage) -> tuple[list[int], int, str | None]:
    return [int(one.id.removeprefix("rollout-")) for one in page.rollouts], page.total, page.next


def test_a_page_says_how_many_there_are_and_where_the_next_begins(
    client: Client, lineside: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.rollouts(limit=3)
    assert _of(first) == ([7, 6, 5], 7, "rollout-5")
    second = client.rollouts(limit=3, before=first.next)
    assert _of(second) == ([4, 3, 2], 7, "rollout-2")
    assert _of(client.rollouts(limit=3, before=second.next)) == ([1], 7, None)
    line = client.rollouts(group="line", limit=2)
    assert _of(line) == ([7, 5], 4, "rollout-5")
    assert _of(client.rollouts(group="line", before=line.next, limit=2)) == ([3, 1], 4, None)
    assert _of(client.rollouts(group="nobody")) == ([], 0, None)
    assert _of(client.rollouts(before="somewhere")) == ([], 7, None)
    for limit in (0, 201):
        with pytest.raises(LinesideError, match=r"^request.invalid:"):
            client.rollouts(limit=limit)
    monkeypatch.setattr(pages, "_AT_ONCE", 4)
    page = httpx.get(f"{lineside.people_url}/rollouts?group=line").text
    assert "Older rollouts" not in page
    assert '7 in all. <a href="/rollouts?before=rollout-4">' in httpx.get(f"{lineside.people_url}/rollouts").text
