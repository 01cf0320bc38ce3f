"""Deployments come in pages: a year of them is never one answer."""

from __future__ import annotations

import msgspec
import pytest

from lineside.client import Client
from lineside.contract.deployment import ComponentSpec
from lineside.contract.errors import LinesideError
from lineside.server.deployments.store import DeploymentRow
from lineside.server.testing import Running

pytestmark = pytest.mark.both_databases


@pytest.fixture
def client(lineside: Running) -> Client:
    """A client of a control plane with seven deployments: four to `line`, three to `office`."""
    with lineside.core.database.write() as session:
        for number in range(1, 8):
            row = DeploymentRow(
                number=number,
                group="line" if number % 2 else "office",
                name="",
                components={"a": ComponentSpec(component_version=f"{number}.0.0")},
                failure_policy="ROLLBACK",
                digest=f"sha256:{number:064}",
                created_at="2026-01-01T00:00:00.000Z",
                staging=False,
            )
            session.add(row)
    return Client(lineside.people_url)


def _ids(*numbers: int) -> list[str]:
    return [f"deployment-{number}" for number in numbers]


def test_a_page_says_how_many_there_are_and_where_the_next_begins(client: Client) -> None:
    first = client.deployments(limit=3)
    assert [one.id for one in first.deployments] == _ids(7, 6, 5)
    assert (first.total, first.next) == (7, "deployment-5")
    second = client.deployments(limit=3, before=first.next)
    assert [one.id for one in second.deployments] == _ids(4, 3, 2)
    last = client.deployments(limit=3, before=second.next)
    assert ([one.id for one in last.deployments], last.total, last.next) == (_ids(1), 7, None)


def test_those_of_one_group(client: Client) -> None:
    page = client.deployments(group="line", limit=2)
    assert ([one.id for one in page.deployments], page.total, page.next) == (_ids(7, 5), 4, "deployment-5")
    assert [one.id for one in client.deployments(group="line", before=page.next).deployments] == _ids(3, 1)
    assert client.deployments(group="nobody").deployments == ()


def test_wrong_questions_are_refused(client: Client) -> None:
    for limit in (0, 1001):
        with pytest.raises(LinesideError, match=r"^request.invalid:"):
            client.deployments(limit=limit)
    assert client.deployments(before="somewhere").deployments == ()


def test_components_are_read_back(client: Client) -> None:
    newest = client.deployments(limit=1).deployments[0]
    assert newest == msgspec.structs.replace(client.deployment("deployment-7"), notes=())
