"""Component versions come in pages, over the API and on the dashboard: each release of a model adds one."""

from __future__ import annotations

import httpx
import pytest

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.server.components.store import ComponentRow
from lineside.server.testing import Running

pytestmark = pytest.mark.both_databases
_COUNT = 1003  # more than the client asks for at once


@pytest.fixture
def client(lineside: Running) -> Client:
    """A client of a control plane with many component versions, two of them of `b`."""
    with lineside.core.database.write() as session:
        session.add_all(
            ComponentRow(
                name="b" if number in (1, 900) else "a",
                version=f"{number}.0.0",
                kind="app",
                recipe_digest=f"sha256:{number:064}",
                recipe_size=1,
                artifacts=(),
                created_at=f"2026-01-01T00:00:00.{number:06}Z",
            )
            for number in range(1, _COUNT + 1)
        )
    return Client(lineside.people_url)


def test_pages_of_all_and_of_one_name(client: Client) -> None:
    page = client.component_page(offset=2, limit=3)
    assert [one.version for one in page.components] == ["1001.0.0", "1000.0.0", "999.0.0"]
    assert (page.offset, page.total) == (2, _COUNT)
    found = client.component_page(name="b", limit=1)
    assert ([one.version for one in found.components], found.total) == (["900.0.0"], 2)
    for wrong in ({"offset": -1}, {"limit": 0}, {"limit": 1001}):
        with pytest.raises(LinesideError, match=r"^request.invalid:"):
            client.component_page(**wrong)


def test_the_client_reads_them_all(client: Client) -> None:
    assert [one.version for one in client.components()] == [f"{number}.0.0" for number in range(_COUNT, 0, -1)]
    assert [one.version for one in client.components(name="b")] == ["900.0.0", "1.0.0"]


def test_the_page_shows_a_hundred(client: Client, lineside: Running) -> None:
    with httpx.Client(base_url=lineside.people_url) as browser:
        first, last = browser.get("/components").text, browser.get("/components?offset=1000").text
    assert first.count('href="/components/') == 100 + first.count('href="/components/"')
    assert "1–100 of 1003" in first
    assert 'href="?offset=100"' in first
    assert "1001–1003 of 1003" in last
    assert 'href="?offset=900"' in last
    assert 'href="?offset=1100"' not in last
