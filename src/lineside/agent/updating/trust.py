"""What may be installed: TUF metadata over the device's own link (python-tuf `ngclient`), and errors with our codes.

This module decides who signed a recipe; it does not decide what to run. The trusted root came with joining, over the
pinned CA; metadata older than what was seen, expired, or signed by the wrong keys is refused.
Source: TUF specification 1.0, section 5 (detailed client workflow).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from tuf.api import exceptions
from tuf.api.metadata import TargetFile
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from lineside.agent.attention import Attention
from lineside.agent.link.error import LinkError
from lineside.agent.paths import Paths
from lineside.agent.ports import ControlPlane
from lineside.contract.component import ComponentKind
from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import Kind, LinesideError, RemoteError
from lineside.contract.trust import accepts, release_target, staging_target

PATIENCE = 180.0
"""Seconds that a refresh of the metadata, with the recipes after it, may take."""

_CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.BadVersionNumberError, "trust.rollback"),
    (exceptions.ExpiredMetadataError, "trust.expired"),
    (exceptions.UnsignedMetadataError, "trust.signature"),
    (exceptions.RepositoryError, "trust.metadata"),
)


class LinkFetcher(FetcherInterface):
    """python-tuf's view of the device's link: the CA pinned, the bearer token sent, a deadline for all of it."""

    def __init__(self, control: ControlPlane, attention: Attention) -> None:
        self._control = control
        self._attention = attention
        self._until = time.monotonic() + PATIENCE
        self.failure: LinesideError | None = None

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            return iter(list(self._in_time(self._control.metadata(url))))
        except (RemoteError, LinkError) as error:
            if (
                error.kind is Kind.MISSING or getattr(error, "status", None) == Kind.MISSING
            ):  # python-tuf looks for root versions until there is none
                raise exceptions.DownloadHTTPError(error.message, int(error.kind)) from error
            self.failure = error
            raise

    def _in_time(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._attention.check()
            if time.monotonic() > self._until:
                raise LinkError("trust.timeout", seconds=f"{PATIENCE:g}")
            yield chunk


class Trust:
    """One device's trusted metadata on disk. `refresh` first, then ask for recipes."""

    def __init__(self, control: ControlPlane, paths: Paths, attention: Attention, *, twin: bool) -> None:
        self._control = control
        self._attention = attention
        self._paths = paths
        self._twin = twin
        self._fetcher = LinkFetcher(control, attention)
        self._updater: Updater | None = None

    def refresh(self) -> None:
        """Bring the top-level metadata up to date. Raises `trust.…`, `LinkError`."""
        self._fetcher = LinkFetcher(self._control, self._attention)
        self._paths.metadata.mkdir(parents=True, exist_ok=True)
        updater = Updater(
            metadata_dir=str(self._paths.metadata),
            metadata_base_url="tuf/",
            target_base_url="targets/",
            fetcher=self._fetcher,
            config=UpdaterConfig(prefix_targets_with_hash=False),
            bootstrap=self._paths.trusted_root.read_bytes(),
        )
        try:
            updater.refresh()
        except (exceptions.RepositoryError, exceptions.DownloadError) as error:
            raise self._explained(error, "metadata") from error
        self._updater = updater

    def check(self, wanted: DesiredComponent) -> TargetFile:
        """The signed description of a component's recipe. Raises `trust.…`."""
        self._check_path(wanted)
        updater = self._ready()
        try:
            target = updater.get_targetinfo(wanted.target)
        except (exceptions.RepositoryError, exceptions.DownloadError) as error:
            raise self._explained(error, wanted.target) from error
        if target is None:
            raise LinesideError("trust.unknown_target", target=wanted.target)
        signed = "sha256:" + target.hashes.get("sha256", "none")
        if signed != wanted.recipe_digest:
            why = f"{signed} is signed, {wanted.recipe_digest} is wanted"
            raise LinesideError("trust.recipe_mismatch", name=wanted.name, why=why)
        return target

    def fetch(self, wanted: DesiredComponent, target: TargetFile) -> bytes:
        """A signed recipe's bytes, checked against its signed length and hash. Raises `trust.recipe_mismatch`."""
        path = self._paths.metadata.parent / "recipe.part"
        try:
            self._ready().download_target(target, str(path))
        except exceptions.LengthOrHashMismatchError as error:
            raise LinesideError("trust.recipe_mismatch", name=wanted.name, why=error) from error
        except exceptions.DownloadLengthMismatchError as error:
            raise LinesideError("trust.recipe_mismatch", name=wanted.name, why=error) from error
        except exceptions.DownloadError as error:
            raise self._explained(error, wanted.target) from error
        return _take(path)

    def _ready(self) -> Updater:
        if self._updater is None:
            self.refresh()
        assert self._updater is not None
        return self._updater

    def _check_path(self, wanted: DesiredComponent) -> None:
        """The path must be one that may carry exactly this component, and one that this device accepts."""
        released = {release_target(kind, wanted.name, wanted.version) for kind in ComponentKind}
        if wanted.target not in released | {staging_target(wanted.name, wanted.version)}:
            raise LinesideError("trust.unknown_target", target=wanted.target)
        if not accepts(wanted.target, twin=self._twin):
            raise LinesideError("trust.wrong_role", target=wanted.target)

    def _explained(self, error: Exception, what: str) -> LinesideError:
        if self._fetcher.failure is not None:
            return self._fetcher.failure
        for kind, code in _CODES:
            if isinstance(error, kind):
                return LinesideError(code, why=error)
        return LinesideError("trust.metadata", why=f"{what}: {error}")


def _take(path: Path) -> bytes:
    data = path.read_bytes()
    path.unlink()
    return data
