"""Datasets and blobs over HTTP, as the client calls them."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from lineside.client import Client
from lineside.contract.dataset import DatasetPage, DatasetVersion, ImageRecord, ImportRequest, Split
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.datasets import store
from lineside.server.datasets.store import Filters
from lineside.server.services import Core
from lineside.server.testing import Running, until
from tests.eventually import PATIENCE

Make = Callable[[str], Any]


@pytest.fixture
def client(lineside: Running) -> Client:
    return Client(lineside.people_url)


def send(client: Client, make: Make, count: int = 6) -> ImportRequest:
    images = make("listed")(count)
    for image in images:
        image["group"] = image["id"]
    files = {f"{n}.png": make("picture")(n) for n in range(count)} | {"a.json": make("coco")(images, [])}
    return ImportRequest(name="tags", files={path: client.put_blob(data) for path, data in files.items()})


def test_the_same_folder_again_is_the_same_version(client: Client, make: Make) -> None:
    request = send(client, make)
    first, again = client.import_dataset(request), client.import_dataset(request)
    assert (first.created, again.created) == (True, False)
    assert first.version == again.version == client.dataset(first.version.id)
    assert client.datasets() == DatasetPage(versions=(first.version,), offset=0, total=1)
    assert [event.kind for event in client.events(kind="dataset").events] == ["dataset.imported"]


def test_one_other_box_is_another_version(client: Client, make: Make) -> None:
    first = send(client, make)
    other = make("coco")(
        [image | {"group": image["id"]} for image in make("listed")(6)], [make("boxed")(0, 1, 1, 2, 2)]
    )
    second = ImportRequest(name="tags", files=first.files | {"a.json": client.put_blob(other)})
    assert client.import_dataset(first).version.id != client.import_dataset(second).version.id


def test_versions_come_in_pages_newest_first(
    lineside: Running, client: Client, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for count, name in ((3, "tags"), (4, "plates"), (5, "tags")):
        at = f"2026-11-21T1{len(made)}:00:00Z"
        monkeypatch.setattr("lineside.server.datasets.service.rfc3339", lambda _, at=at: at)
        request = msgspec.structs.replace(send(client, make, count), name=name)
        made.insert(0, client.import_dataset(request).version)
    assert client.datasets(limit=2) == DatasetPage(versions=tuple(made[:2]), offset=0, total=3)
    assert client.datasets(offset=2) == DatasetPage(versions=(made[2],), offset=2, total=3)
    assert client.datasets(name="tags").versions == (made[0], made[2])
    assert client.datasets(name="none").total == 0
    page = httpx.get(f"{lineside.people_url}/datasets", params={"name": "tags"}).text
    assert [version.id in page for version in made] == [True, False, True]
    assert "1–2 of 2" in page
    assert "No dataset is called so." in httpx.get(f"{lineside.people_url}/datasets?name=none").text


def test_images_come_in_pages(client: Client, make: Make) -> None:
    version = client.import_dataset(send(client, make)).version
    page = client.dataset_images(version.id, offset=4, limit=10)
    assert [image.file_name for image in page.images] == ["4.png", "5.png"]
    assert (page.offset, page.total) == (4, 6)
    side = client.dataset_images(version.id, split="test")
    assert side.total == version.splits["test"] == len(side.images)
    assert {image.split for image in side.images} == {Split.TEST}


@pytest.mark.parametrize("query", ["split=nowhere", "offset=-1", "limit=0", "limit=100000", f"offset={2**64}"])
def test_a_page_that_makes_no_sense_is_refused(lineside: Running, query: str) -> None:
    answer = httpx.get(f"{lineside.people_url}/api/v1/datasets/ds-0/images?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "request.invalid")


def test_what_is_not_there_is_missing(client: Client) -> None:
    for ask in (client.dataset, client.dataset_images):
        with pytest.raises(LinesideError) as caught:
            ask("ds-000000000000")
        assert caught.value.code == "request.not_found"


@pytest.mark.parametrize("name", ["", "a/b", "../x"])
def test_a_bad_name_is_refused(client: Client, name: str) -> None:
    with pytest.raises(LinesideError) as caught:
        client.import_dataset(ImportRequest(name=name, files={}))
    assert caught.value.code == "request.invalid"


def test_ten_thousand_images_page_fast(core: Core) -> None:
    import time

    images = tuple(
        ImageRecord(digest=digest_of(str(n).encode()), file_name=f"{n}.png", width=9, height=9, split=Split.TRAIN)
        for n in range(10_000)
    )
    version = DatasetVersion(
        id="ds-1", digest="d", name="x", created_at="", format="coco", origin="photographs", images=10_000,
        boxes=0, classes=("a",), splits={}, groups=0, split_by="given",
    )  # fmt: skip
    with core.database.write() as session:
        store.add_version(session, version, images)
    with core.database.read() as session:
        start = time.perf_counter()
        page, total = store.image_slice(session, version, Filters(split=Split.TRAIN), 9_900, 100)
        took = time.perf_counter() - start
    assert (len(page), total, page[0].file_name) == (100, 10_000, "9900.png")
    assert took < 0.5


# --- blobs ------------------------------------------------------------------------------------------------------------


def test_blobs_are_sent_once_and_come_back(client: Client, lineside: Running) -> None:
    data = bytes(range(256)) * 10_000
    digest = digest_of(data)
    assert client.blobs_missing([digest, digest]) == [digest]
    answer = httpx.put(f"{lineside.people_url}/api/v1/blobs/{digest}", content=data)
    assert (answer.status_code, answer.json()) == (201, {"digest": digest, "size": len(data)})
    assert client.blobs_missing([digest]) == []
    back = httpx.get(f"{lineside.people_url}/api/v1/blobs/{digest}")
    assert back.content == data
    assert back.headers["content-length"] == str(len(data))
    assert back.headers["x-content-type-options"] == "nosniff"


def test_a_blob_larger_than_a_request_may_be_is_streamed(lineside: Running) -> None:
    size, piece = lineside.core.settings.request_bytes + 1, b"x" * 65536
    pieces = [piece] * (size // len(piece)) + [b"y"]
    sha = hashlib.sha256(b"".join(pieces)).hexdigest()
    answer = httpx.put(f"{lineside.people_url}/api/v1/blobs/sha256:{sha}", content=iter(pieces), timeout=PATIENCE)
    assert answer.status_code == 201


def test_of_other_bytes_nothing_is_kept(lineside: Running) -> None:
    digest = digest_of(b"right")
    answer = httpx.put(f"{lineside.people_url}/api/v1/blobs/{digest}", content=b"wrong")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "blob.digest_mismatch")
    assert not lineside.core.objects.exists(digest)
    assert not lineside.core.objects.exists(digest_of(b"wrong"))
    assert list((lineside.core.root / "objects" / "incoming").iterdir()) == []


def test_of_an_upload_that_breaks_off_nothing_is_kept(lineside: Running) -> None:
    host, port = lineside.people_url.removeprefix("http://").split(":")
    digest, incoming = digest_of(b"x" * 100_000), lineside.core.root / "objects" / "incoming"
    head = f"PUT /api/v1/blobs/{digest} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + b"x" * 50_000)
        until(lambda: list(incoming.iterdir()))
    until(lambda: not list(incoming.iterdir()))
    assert not lineside.core.objects.exists(digest)


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_what_is_no_digest_is_refused(lineside: Running, method: str) -> None:
    answer = httpx.request(method, f"{lineside.people_url}/api/v1/blobs/sha256:..%2f..%2fx", content=b"x")
    assert answer.status_code in (400, 404)


def test_a_blob_that_is_not_there_is_missing(lineside: Running) -> None:
    answer = httpx.get(f"{lineside.people_url}/api/v1/blobs/{digest_of(b'never')}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "request.not_found")


@pytest.mark.parametrize("announced", [True, False])
def test_a_blob_over_the_limit_is_refused(tmp_path: Any, announced: bool) -> None:
    from lineside.server.testing import running

    with running(tmp_path / "small", blob_bytes=1000) as small:
        data = b"x" * 1001
        content = data if announced else iter([data])
        answer = httpx.put(f"{small.people_url}/api/v1/blobs/{digest_of(data)}", content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "blob.too_large")
        assert not small.core.objects.exists(digest_of(data))
