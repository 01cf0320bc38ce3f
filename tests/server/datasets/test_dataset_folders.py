"""Folders through a real control plane: what changed is read and sent, what was exported is the same."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from lineside.client import Client
from lineside.client.downloading import Exported, download_folder
from lineside.client.folder import upload_folder
from lineside.client.known_digests import KnownDigests, known_digests
from lineside.contract.dataset import ImportRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.testing import Running

Make = Callable[[str], Any]
IMAGES = 6


@pytest.fixture
def client(lineside: Running) -> Client:
    return Client(lineside.people_url)


@pytest.fixture
def images(tmp_path: Path, make: Make) -> Path:
    """A folder of six images that has lain there for a while."""
    folder = tmp_path / "plates"
    (folder / "shots").mkdir(parents=True)
    listed = [
        image | {"file_name": f"shots/{n}.png", "split": "train"} for n, image in enumerate(make("listed")(IMAGES))
    ]
    for n in range(IMAGES):
        (folder / "shots" / f"{n}.png").write_bytes(make("picture")(n))
    (folder / "labels.json").write_bytes(make("coco")(listed, [make("boxed")(0, 1, 2, 30, 40)]))
    for file in folder.rglob("*"):
        age(file)
    return folder


def age(file: Path) -> None:
    past = time.time() - 60
    os.utime(file, (past, past))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of digests; times of change are a minute old, which no test can wait for."""
    monkeypatch.setattr("lineside.client.known_digests._FRESH", 0)
    return tmp_path / "cache" / "digests.db"


def sent(lineside: Running) -> int:
    return sum(1 for _ in (lineside.core.root / "objects" / "sha256").rglob("*") if _.is_file())


def test_a_second_import_reads_and_decodes_nothing(
    client: Client, images: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with known_digests(cache) as known:
        first = upload_folder(client, images, "plates", known=known)
    assert known.read == IMAGES + 1
    monkeypatch.setattr(
        "lineside.server.datasets.pictures.decoding.look_at", lambda data: pytest.fail("a picture was decoded again")
    )
    with known_digests(cache) as known:
        again = upload_folder(client, images, "plates", known=known)
    assert (known.read, again.created, again.version) == (0, False, first.version)


def test_only_what_changed_is_read(images: Path, cache: Path, make: Make) -> None:
    files = sorted(file for file in images.rglob("*") if file.is_file())
    with known_digests(cache) as known:
        before = [known.digest(file) for file in files]
    changed = images / "shots" / "3.png"
    status = changed.stat()
    changed.write_bytes(make("picture")(99)[: status.st_size].ljust(status.st_size, b"x"))
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))  # as large and as old as before
    with known_digests(cache) as known:
        after = [known.digest(file) for file in files]
    assert known.read == 1
    assert [file for file, one, other in zip(files, before, after, strict=True) if one != other] == [changed]
    assert after == [digest_of(file.read_bytes()) for file in files]


def test_a_file_that_changed_just_now_is_not_believed_next_time(tmp_path: Path) -> None:
    file = tmp_path / "new"
    file.write_bytes(b"1")
    for _ in range(2):
        with known_digests(tmp_path / "digests.db") as known:
            known.digest(file)
        assert known.read == 1


@pytest.mark.parametrize("broken", [b"no database", b""])
def test_a_broken_cache_only_means_that_files_are_read(images: Path, cache: Path, broken: bytes) -> None:
    cache.parent.mkdir()
    cache.write_bytes(broken * 1000)
    file = images / "labels.json"
    with known_digests(cache) as known:
        assert known.digest(file) == digest_of(file.read_bytes())


def test_a_cache_nobody_may_write_is_none(images: Path) -> None:
    with known_digests(Path("/proc/nowhere/digests.db")) as known:
        assert known.digest(images / "labels.json") == digest_of((images / "labels.json").read_bytes())


def test_an_import_says_where_it_stands(client: Client, images: Path) -> None:
    told: list[tuple[int, int, str]] = []
    upload_folder(client, images, "plates", lambda *now: told.append(now), known=KnownDigests())
    assert list(dict.fromkeys(what for _, _, what in told)) == ["hashing", "sending", "looking", "importing"]
    assert all(done <= total for done, total, _ in told)


def test_an_export_is_a_folder_that_imports_as_the_same_version(client: Client, images: Path, tmp_path: Path) -> None:
    version = upload_folder(client, images, "plates").version
    exported = download_folder(client, version.id, "coco", tmp_path / "out")
    assert exported == Exported(
        dataset=version.id, format="coco", folder=str(tmp_path / "out"), files=IMAGES + 1, fetched=IMAGES + 1
    )
    for n in range(IMAGES):
        assert (tmp_path / "out" / "shots" / f"{n}.png").read_bytes() == (images / "shots" / f"{n}.png").read_bytes()
    again = upload_folder(client, tmp_path / "out", "plates")
    assert (again.created, again.version) == (False, version)


def test_labels_are_written_in_several_requests_and_an_export_says_where_it_stands(
    client: Client, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineside.server.datasets.exporting._AT_ONCE", 2)
    monkeypatch.setattr("lineside.server.datasets.exporting._SECONDS", 0)
    version, told = upload_folder(client, images, "plates").version, list[tuple[int, int, str]]()
    with pytest.raises(LinesideError) as caught:
        client.export_dataset(version.id, "voc")
    assert (caught.value.code, caught.value.params["done"]) == ("dataset.export_unfinished", "2")
    download_folder(client, version.id, "voc", tmp_path / "out", lambda *now: told.append(now))
    assert [done for done, _, what in told if what == "writing labels"] == [0, 4, 6, 6]
    assert len(list((tmp_path / "out" / "Annotations").rglob("*.xml"))) == IMAGES
    assert len([event for event in client.audit().entries if event.action == "dataset.export"]) == 1


def test_hidden_files_are_left_out_but_where_an_export_wrote_them(
    lineside: Running, client: Client, images: Path, make: Make, tmp_path: Path
) -> None:
    (images / ".hidden.png").write_bytes(make("picture")(50))
    assert upload_folder(client, images, "plates").version.images == IMAGES
    files = {name: client.put_blob(make("picture")(at)) for at, name in enumerate((".a.png", "-b.png", ".x/c d.png"))}
    listed = [{"id": at, "file_name": name, "split": "train"} for at, name in enumerate(files)]
    files["labels.json"] = client.put_blob(make("coco")(listed, []))
    version = client.import_dataset(ImportRequest(name="odd", files=files)).version
    download_folder(client, version.id, "csv", tmp_path / "odd")
    again = upload_folder(client, tmp_path / "odd", "odd")
    assert (again.created, again.version.id, again.version.warnings) == (False, version.id, version.warnings)


def test_an_export_that_broke_off_fetches_what_is_missing_or_wrong(
    client: Client, images: Path, tmp_path: Path
) -> None:
    version, out = upload_folder(client, images, "plates").version, tmp_path / "out"
    download_folder(client, version.id, "voc", out)
    (out / "shots" / "1.png").unlink()
    (out / "shots" / "2.png").write_bytes(b"half")
    assert download_folder(client, version.id, "voc", out).fetched == 2
    assert (out / "shots" / "2.png").read_bytes() == (images / "shots" / "2.png").read_bytes()
    assert not list(out.rglob("*.part"))


def test_a_folder_of_something_else_is_left_alone(client: Client, images: Path, tmp_path: Path) -> None:
    version = upload_folder(client, images, "plates").version
    for form in ("coco", "voc"):
        with pytest.raises(LinesideError) as caught:
            download_folder(client, version.id, form, images)
        assert caught.value.code == "client.folder_taken"
    assert sorted(path.name for path in images.iterdir()) == ["labels.json", "shots"]


def test_a_blob_with_other_bytes_gets_no_name(lineside: Running, client: Client, images: Path, tmp_path: Path) -> None:
    version = upload_folder(client, images, "plates").version
    digest = digest_of((images / "shots" / "0.png").read_bytes()).removeprefix("sha256:")
    stored = lineside.core.root / "objects" / "sha256" / digest[:2] / digest
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[::-1])
    with pytest.raises(LinesideError) as caught:
        download_folder(client, version.id, "coco", tmp_path / "out")
    assert caught.value.code == "blob.digest_mismatch"
    assert not (tmp_path / "out" / "shots" / "0.png").exists()


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(
    client: Client, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = upload_folder(client, images, "plates").version
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LinesideError, match=r"^cli.file_unwritable: .*Not a directory"):
        download_folder(client, version.id, "coco", tmp_path / "file")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("lineside.client.downloading._write", full)
    with pytest.raises(LinesideError, match=r"^cli.file_unwritable: .*No space left"):
        download_folder(client, version.id, "coco", tmp_path / "out")


@pytest.mark.parametrize("path", ["../a", "/etc/a", "a/../../b", "a//b", "C:/a", "a\\b", "", "a/./b"])
def test_a_path_that_leads_out_is_not_written(client: Client, tmp_path: Path, path: str) -> None:
    from lineside.contract.dataset_export import ExportListing

    listing = ExportListing(dataset="ds-1", format="coco", files={path: digest_of(b"")})

    class Wrong(Client):
        def export_dataset(self, dataset: str, format: str = "coco") -> ExportListing:
            return listing

    with pytest.raises(LinesideError) as caught:
        download_folder(Wrong(client.url), "ds-1", "coco", tmp_path / "out")
    assert caught.value.code == "dataset.path_refused"
    assert not (tmp_path / "out").exists()


def test_small_files_travel_together_and_large_ones_alone(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sizes = tmp_path / "mixed", [0, 1, 10, 3 << 20, 2 << 20, 5 << 20, 7]
    folder.mkdir()
    for number, size in enumerate(sizes):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * size)
    asked: list[tuple[str, str]] = []
    send = client.connection.send

    def noticed(method: str, where: str, **more: Any) -> bytes:
        asked.append((method, where))
        return send(method, where, **more)

    monkeypatch.setattr(client.connection, "send", noticed)
    with pytest.raises(LinesideError) as caught:
        upload_folder(client, folder, "mixed")
    assert caught.value.code == "dataset.format_unknown"
    digests = [digest_of(bytes([number]) * size) for number, size in enumerate(sizes)]
    assert client.blobs_missing(digests) == []
    ways = [how for how, where in asked if where == "/blobs" or how == "PUT"]
    assert sorted(ways) == ["POST", "PUT", "PUT", "PUT"]  # 0 to 3, then 4, 5 and 6


def test_one_picture_under_two_names_is_fetched_once_and_written_twice(
    client: Client, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (images / "shots" / "1.png").write_bytes((images / "shots" / "0.png").read_bytes())
    version, asked = upload_folder(client, images, "plates").version, list[str]()
    get = client.get_blobs

    def noticed(digests: list[str]) -> Any:
        asked.extend(digests)
        return get(digests)

    monkeypatch.setattr(client, "get_blobs", noticed)
    exported = download_folder(client, version.id, "coco", tmp_path / "out")
    assert (exported.files, exported.fetched, len(asked)) == (IMAGES + 1, IMAGES + 1, IMAGES)
    for n in (0, 1):
        assert (tmp_path / "out" / "shots" / f"{n}.png").read_bytes() == (images / "shots" / "0.png").read_bytes()


def test_no_more_blobs_are_answered_than_a_row_of_the_trail_can_name(client: Client) -> None:
    digests = [client.put_blob(b"%d" % n) for n in range(51)]
    assert [digest for digest, pieces in client.get_blobs(digests[:50]) if list(pieces)] == digests[:50]
    for wrong, code in ((digests, "request.invalid"), ([digest_of(b"never")], "request.not_found")):
        with pytest.raises(LinesideError) as caught:
            list(client.get_blobs(wrong))
        assert caught.value.code == code


def test_a_pack_with_wrong_bytes_is_refused(lineside: Running, client: Client) -> None:
    head = bytes.fromhex(digest_of(b"right").removeprefix("sha256:")) + (5).to_bytes(8, "big")
    for body, code in ((head + b"wrong", "blob.digest_mismatch"), (head + b"rig", "request.invalid")):
        answer = httpx.post(f"{lineside.people_url}/api/v1/blobs", content=body)
        assert answer.json()["error"]["code"] == code
    assert client.blobs_missing([digest_of(b"right")]) == [digest_of(b"right")]
    assert list((lineside.core.root / "objects" / "incoming").iterdir()) == []


def test_looking_passes_over_what_is_no_picture(client: Client, make: Make) -> None:
    digests = [client.put_blob(data) for data in (make("picture")(1), b"0 0.5 0.5 0.1 0.1", b"BM, a line of text", b"")]
    assert client.look_at_pictures(digests) == 1
    with pytest.raises(LinesideError) as caught:
        client.look_at_pictures([digest_of(b"never sent")])
    assert caught.value.code == "request.not_found"
    with pytest.raises(LinesideError) as caught:
        client.look_at_pictures(["sha256:" + "0" * 64] * 1001)
    assert caught.value.code == "request.invalid"


def test_pages_show_thumbnails_that_the_import_made(lineside: Running, client: Client, images: Path) -> None:
    upload_folder(client, images, "plates")
    digest = digest_of((images / "shots" / "0.png").read_bytes())
    answer = httpx.get(f"{lineside.people_url}/datasets/thumbnails/{digest}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert len(answer.content) <= 8192
    assert "immutable" in answer.headers["cache-control"]
    unseen = digest_of(b"unseen")
    answer = httpx.get(f"{lineside.people_url}/datasets/thumbnails/{unseen}")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/pictures/{unseen}?size=240")
    assert httpx.get(f"{lineside.people_url}/datasets/thumbnails/x").status_code == 404
