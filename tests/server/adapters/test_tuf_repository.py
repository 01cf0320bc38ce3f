"""The TUF repository in a folder and in a database, read by python-tuf's own client from the files it wrote."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import urlparse

import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import TargetFile
from tuf.ngclient import FetcherInterface, Updater

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.adapters.files import write_atomic
from lineside.server.adapters.signer import KeyFiles
from lineside.server.adapters.tuf import DatabaseShelf, FolderShelf, NewTarget, Repository, Shelf, keep_copy, take_newer
from lineside.server.services import Core
from tests.server.adapters.shelves import Fragile, Killed, content

RECIPE = b'{"ComponentName":"tags.model"}'
MODEL, APP, STAGED = "models/tags.model-1.0.0.json", "apps/tags.inference-0.1.0.json", "staging/tags.model-1.0.0.json"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at


class Served(FetcherInterface):
    """Serves a repository as the device API does."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = urlparse(url).path.removeprefix("/tuf/")
        try:
            return iter([self._repository.read(name)])
        except LinesideError:
            raise DownloadHTTPError(f"no {name}", 404) from None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf(core: Core) -> Shelf:
    """R/tuf on SQLite, a table on PostgreSQL."""
    assert isinstance(core.shelf, DatabaseShelf) == core.database.shared
    return core.shelf


@pytest.fixture
def open_repository(shelf: Shelf, tmp_path: Path, clock: Clock) -> Callable[..., Repository]:
    def opened(on: Shelf = shelf) -> Repository:
        return Repository(on, KeyFiles(tmp_path / "keys"), clock)

    return opened


@pytest.fixture
def repository(open_repository: Callable[..., Repository]) -> Repository:
    return open_repository()


@pytest.fixture
def look(repository: Repository, tmp_path: Path) -> Callable[[str], TargetFile | None]:
    """A device that keeps its metadata between look-ups."""
    root, metadata = repository.root().encode(), tmp_path / "device"
    metadata.mkdir()

    def looked(path: str) -> TargetFile | None:
        updater = Updater(str(metadata), "http://server/tuf/", fetcher=Served(repository), bootstrap=root)
        return updater.get_targetinfo(path)

    return looked


def new(path: str, data: bytes = RECIPE, custom: dict[str, object] | None = None) -> NewTarget:
    return NewTarget(path=path, digest=digest_of(data), size=len(data), custom=custom)


def _timestamp(shelf: Shelf) -> dict[str, object]:
    signed: dict[str, object] = json.loads(shelf.read("timestamp.json"))["signed"]
    return signed


def test_a_client_finds_a_target_of_every_role_with_what_its_signer_said(repository, look):
    assert look(MODEL) is None
    assert repository.publish([new(MODEL, custom={"approved_by": "ana"}), new(APP), new(STAGED)])
    found = look(MODEL)
    assert found is not None
    found.verify_length_and_hashes(RECIPE)
    assert found.custom == {"approved_by": "ana"}
    assert look(APP) is not None
    assert look(STAGED) is not None


def test_each_role_has_its_own_key_that_only_its_owner_can_read(repository, tmp_path):
    keys = sorted((tmp_path / "keys").iterdir())
    names = ["approvers", "builders", "root", "snapshot", "staging", "targets", "timestamp"]
    assert [key.name for key in keys] == [f"tuf-{name}.pem" for name in names]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert len({key.read_bytes() for key in keys}) == 7


def test_adding_a_target_again_changes_nothing_and_keeps_the_first_statement(repository, look, shelf):
    repository.publish([new(MODEL, custom={"approved_by": "ana"})])
    before = content(shelf)
    assert not repository.publish([new(MODEL, custom={"approved_by": "bo"})])
    assert content(shelf) == before
    assert look(MODEL).custom == {"approved_by": "ana"}


def test_a_signed_path_never_gets_other_bytes(repository):
    repository.publish([new(MODEL)])
    with pytest.raises(LinesideError, match=r"trust\.target_exists"):
        repository.publish([new(MODEL, b"other")])


@pytest.mark.parametrize("path", ["other/x.json", "models/", "models/a/b.json", "models"])
def test_a_path_that_no_role_signs_is_refused(repository, path):
    with pytest.raises(LinesideError, match=r"trust\.no_role"):
        repository.publish([new(path)])


@pytest.mark.parametrize(
    "name", ["../keys/tuf-root.pem", "root.json", "0.root.json", "1.timestamp.json", "9.root.json", ""]
)
def test_only_metadata_files_are_read(repository, name):
    with pytest.raises(LinesideError, match=r"request\.not_found"):
        repository.read(name)


def test_opening_again_goes_on_with_the_same_keys_and_versions(open_repository, repository, look):
    repository.publish([new(MODEL)])
    assert look(MODEL) is not None
    again = open_repository()
    assert again.root() == repository.root()
    assert again.publish([new(APP)])
    assert look(APP) is not None


@pytest.mark.parametrize("kept", range(4))
def test_a_kill_between_two_files_leaves_what_a_client_can_use_and_the_next_start_repeats_it(
    open_repository, repository, shelf, look, kept
):
    repository.publish([new(STAGED)])
    assert look(STAGED) is not None
    fragile = Fragile(shelf, kept)
    with pytest.raises(Killed):
        open_repository(fragile).publish([new(MODEL), new(APP)])
    assert look(STAGED) is not None
    assert look(MODEL) is None
    assert open_repository().publish([new(MODEL), new(APP)])
    assert look(MODEL) is not None
    assert look(APP) is not None


@pytest.mark.parametrize("kept", range(7))
def test_a_kill_while_the_repository_is_made_is_made_good_by_the_next_start(open_repository, shelf, kept):
    with pytest.raises(Killed):
        open_repository(Fragile(shelf, kept))
    repository = open_repository()
    assert repository.publish([new(MODEL)])
    assert repository.find(MODEL) is not None


@pytest.mark.parametrize("pattern", ["timestamp.json", "*.snapshot.json", "*.approvers.json"])
def test_a_changed_byte_is_refused_by_the_client_and_never_signed_by_the_server(repository, look, shelf, pattern):
    repository.publish([new(MODEL)])
    newest = max(name for name in shelf.names() if fnmatch(name, pattern))
    shelf.write(newest, shelf.read(newest).replace(b'"expires":"2', b'"expires":"3'))
    with pytest.raises((RepositoryError, DownloadError)):
        look(MODEL)
    with pytest.raises(LinesideError, match=r"trust\.metadata_damaged"):
        repository.publish([new(APP)])


def test_metadata_rolled_back_is_refused_by_a_client_that_saw_newer(repository, look, shelf):
    repository.publish([new(MODEL)])
    old = content(shelf)
    repository.publish([new(APP)])
    assert look(APP) is not None
    for name, data in old.items():
        shelf.write(name, data)
    with pytest.raises(RepositoryError, match=r"version"):
        look(APP)


def test_a_snapshot_rolled_back_under_a_newer_name_is_refused(repository, look, shelf):
    repository.publish([new(MODEL)])
    assert look(MODEL) is not None
    repository.publish([new(APP)])
    shelf.write("3.snapshot.json", shelf.read("2.snapshot.json"))
    with pytest.raises(RepositoryError):
        look(APP)


def test_a_missing_timestamp_of_a_used_repository_is_not_made_again(open_repository, repository, shelf):
    repository.publish([new(MODEL)])
    shelf.remove("timestamp.json")
    with pytest.raises(LinesideError, match=r"trust\.metadata_damaged"):
        open_repository()


def test_a_signed_timestamp_is_good_for_a_day_and_renewed_after_half_of_it(repository, clock, shelf, look):
    first = _timestamp(shelf)
    assert repository.renew() == ()
    clock.at += timedelta(hours=13)
    assert repository.renew() == ("timestamp",)
    second = _timestamp(shelf)
    assert second["version"] == 2
    assert str(second["expires"]) > str(first["expires"])
    assert look(MODEL) is None


def test_an_expired_timestamp_is_refused_by_the_client(repository, clock, look):
    clock.at -= timedelta(days=3)
    repository.publish([new(MODEL)])
    with pytest.raises(ExpiredMetadataError):
        look(MODEL)
    clock.at += timedelta(days=3)
    assert "timestamp" in repository.renew()
    assert look(MODEL) is not None


def test_everything_is_renewed_in_its_time_and_old_clients_follow(repository, clock, look):
    repository.publish([new(MODEL)])
    assert look(MODEL) is not None
    clock.at += timedelta(days=200)
    assert set(repository.renew()) == {
        *("root", "targets", "snapshot", "timestamp"),
        *("approvers", "builders", "staging"),
    }
    assert look(MODEL) is not None
    assert '"version":2' in repository.root()


def test_old_versions_are_dropped_and_the_newest_stay(repository, look, shelf):
    for number in range(30):
        repository.publish([new(f"apps/x-{number}.0.0.json")])
    repository.renew()
    assert len([name for name in shelf.names() if fnmatch(name, "*.builders.json")]) == 21
    assert look("apps/x-29.0.0.json") is not None


def test_one_at_a_time_has_the_lock(shelf):
    inside, most = [], []

    def work() -> None:
        for _ in range(5):
            with shelf.locked():
                inside.append(1)
                most.append(len(inside))
                shelf.write("1.root.json", b"{}")
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) == 30


def test_a_file_that_is_not_there_is_missing_and_a_stamp_tells_that_one_was_written(shelf):
    for look in (shelf.read, shelf.stamp):
        with pytest.raises(FileNotFoundError):
            look("timestamp.json")
    shelf.write("timestamp.json", b"one")
    first = shelf.stamp("timestamp.json")
    shelf.write("timestamp.json", b"two")
    assert shelf.stamp("timestamp.json") != first
    assert shelf.read("timestamp.json") == b"two"
    shelf.remove("timestamp.json")
    shelf.remove("timestamp.json")
    assert "timestamp.json" not in shelf.names()


def test_what_lies_in_a_folder_is_taken_into_a_shared_database(core, tmp_path, clock):
    """What releases before kept in R/tuf also on PostgreSQL."""
    folder = tmp_path / "before"
    before = Repository(FolderShelf(folder), KeyFiles(tmp_path / "keys"), clock)
    before.publish([new(MODEL)])
    assert take_newer(core.shelf, folder) == core.database.shared
    if core.database.shared:
        assert Repository(core.shelf, KeyFiles(tmp_path / "keys"), clock).current() == before.current()
    assert not take_newer(core.shelf, folder)


@pytest.mark.postgresql_only
def test_an_older_database_takes_nothing_back(repository, shelf, look, open_repository, tmp_path):
    folder = tmp_path / "copy"
    repository.publish([new(MODEL)])
    older = content(shelf)
    repository.publish([new(APP)])
    assert keep_copy(shelf, folder)
    assert not keep_copy(shelf, folder)
    assert look(APP) is not None
    for name in shelf.names():
        shelf.remove(name)
    for name, data in older.items():
        shelf.write(name, data)
    assert not keep_copy(shelf, folder)
    assert take_newer(shelf, folder)
    assert look(APP) is not None
    open_repository().publish([new(STAGED)])
    assert look(STAGED) is not None
    assert keep_copy(shelf, folder)
    assert content(FolderShelf(folder)) == content(shelf)


@pytest.mark.postgresql_only
@pytest.mark.parametrize("kept", range(3))
def test_a_copy_that_was_cut_off_does_not_count(repository, shelf, tmp_path, kept, monkeypatch):
    folder = tmp_path / "copy"
    keep_copy(shelf, folder)
    before = content(FolderShelf(folder))["timestamp.json"]
    repository.publish([new(MODEL)])
    written = []

    def write(path: Path, data: bytes) -> None:
        if len(written) == kept:
            raise Killed
        written.append(path)
        write_atomic(path, data)

    monkeypatch.setattr("lineside.server.adapters.tuf.mirror.write_atomic", write)
    with pytest.raises(Killed):
        keep_copy(shelf, folder)
    assert content(FolderShelf(folder))["timestamp.json"] == before
    assert not take_newer(shelf, folder)
    monkeypatch.undo()
    assert keep_copy(shelf, folder)
    assert content(FolderShelf(folder)) == content(shelf)
