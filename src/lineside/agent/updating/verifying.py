"""What the verifier's process does: python-tuf `ngclient` over files that the parent fetches."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tuf.api import exceptions
from tuf.api.metadata import Signature, Signed, TargetFile
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from lineside.agent.durable import make_directories, write_atomically
from lineside.agent.updating.verdicts import (
    Begin,
    Check,
    Done,
    Failed,
    Fetch,
    Found,
    FromParent,
    Refresh,
    Vouch,
)

METADATA, TARGETS = "tuf/", "targets/"
"""What the addresses of metadata files and of targets begin with."""

Ask = Callable[[str, int], Found]
"""A file by its address, of at most so many bytes."""

_CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.BadVersionNumberError, "trust.rollback"),
    (exceptions.ExpiredMetadataError, "trust.expired"),
    (exceptions.UnsignedMetadataError, "trust.signature"),
    (exceptions.LengthOrHashMismatchError, "trust.mismatch"),
    (exceptions.DownloadLengthMismatchError, "trust.mismatch"),
    (exceptions.RepositoryError, "trust.metadata"),
    (exceptions.DownloadError, "trust.metadata"),
)


class _ParentFetcher(FetcherInterface):
    """python-tuf's view of the parent."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        found = self._ask(url, max_length)
        if found.missing:  # python-tuf looks for root versions until there is none
            raise exceptions.DownloadHTTPError(f"{url} is not there", 404)
        if found.data is None:
            raise exceptions.DownloadError(f"{url} could not be fetched")
        if len(found.data) > max_length:
            raise exceptions.DownloadLengthMismatchError(f"{url} is longer than {max_length} bytes")
        with tempfile.TemporaryFile() as file:
            file.write(found.data)
            file.seek(0)
            yield file

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError  # `download_file` does it, because it knows the limit


class _DurableUpdater(Updater):
    """python-tuf renames its files into place without syncing them: after a power cut what was believed would be
    forgotten, and older metadata believed again."""

    def _persist_file(self, filename: str, data: bytes) -> None:
        write_atomically(Path(filename), data)


class Verifier:
    """One device's trusted metadata, judged as of `begin.now`."""

    def __init__(self, begin: Begin, ask: Ask) -> None:
        self._folder = begin.folder
        self._root = begin.root
        self._hashed_names = begin.hashed_names
        self._now = datetime.datetime.fromtimestamp(begin.now, datetime.UTC)
        self._fresh = None if begin.fresh is None else datetime.datetime.fromtimestamp(begin.fresh, datetime.UTC)
        self._ask = ask
        self._updater: Updater | None = None
        self._targets: dict[str, TargetFile] = {}

    def answer(self, request: FromParent) -> Done | Failed:
        """Do what was asked; what cannot be believed is an answer too."""
        try:
            if isinstance(request, Refresh):
                return self._refresh()
            if isinstance(request, Check):
                return self._check(request.target)
            if isinstance(request, Vouch):
                return self._vouch(request)
            assert isinstance(request, Fetch)
            return self._fetch(request.target)
        except (exceptions.RepositoryError, exceptions.DownloadError, OSError) as error:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), "trust.metadata")
            return Failed(code, str(error))

    def _refresh(self) -> Done:
        make_directories(Path(self._folder) / "root_history")
        updater = _DurableUpdater(
            metadata_dir=self._folder,
            metadata_base_url=METADATA,
            target_base_url=TARGETS,
            fetcher=_ParentFetcher(self._ask),
            config=UpdaterConfig(prefix_targets_with_hash=self._hashed_names),
            bootstrap=self._root,
        )
        # The device's clock may be years off; what was carried here may be fresh for longer than a role of it lasts.
        updater._trusted_set.reference_time = min(self._fresh or self._now, self._now)
        updater.refresh()
        self._check_expiry(updater)
        self._updater = updater
        return Done(expires=min(signed.expires.timestamp() for signed in self._lasting(updater)))

    def _check_expiry(self, updater: Updater) -> None:
        """Whether everything that must be good now is: carried metadata was judged as of another time."""
        for signed in self._lasting(updater):
            if signed.is_expired(self._now):
                raise exceptions.ExpiredMetadataError(f"{signed.type} metadata is expired")

    def _lasting(self, updater: Updater) -> list[Signed]:
        """What must not have expired: of metadata carried by hand all but its timestamp and snapshot."""
        short = () if self._fresh is None else ("timestamp", "snapshot")
        return [signed for signed in updater._trusted_set if signed.type not in short]

    def _vouch(self, request: Vouch) -> Done:
        signatures = {keyid: Signature(keyid, value) for keyid, value in request.signatures.items()}
        self._ready()._trusted_set.root.verify_delegate("timestamp", request.payload, signatures)
        return Done()

    def _check(self, path: str) -> Done:
        updater = self._ready()
        target = updater.get_targetinfo(path)
        self._check_expiry(updater)
        if target is None:
            return Done()
        self._targets[path] = target
        return Done(digest="sha256:" + target.hashes.get("sha256", "none"))

    def _fetch(self, path: str) -> Done | Failed:
        if path not in self._targets and self._check(path).digest is None:
            return Failed("trust.metadata", "nobody has signed it")
        file = Path(self._folder).parent / "recipe.part"
        try:
            self._ready().download_target(self._targets[path], str(file))
            return Done(data=file.read_bytes())
        finally:
            file.unlink(missing_ok=True)

    def _ready(self) -> Updater:
        if self._updater is None:
            self._refresh()
        assert self._updater is not None
        return self._updater
