"""Objects in a bucket of S3, or of whatever speaks S3 (API of 2006-03-01).

A stream goes to a file of this machine first, so that its digest is known before anything is sent; then it is sent
under its name, large ones in parts that appear together or not at all. So a name that exists holds exactly the bytes it
says, whatever was cut off and when. Parts that a crash leaves behind have no name; a rule of the bucket removes them
(docs/objects.md). Two control planes that store the same bytes at the same time store the same object.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.adapters.direct import DirectUploads
from lineside.server.adapters.named_files import S3Files
from lineside.server.adapters.object_rules import PART, InPieces, check_digest, key_of, missing, write_stream

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_CLIENT: ClientConfig = {"connect_timeout": "5s", "timeout": "120s"}
_RETRY: RetryConfig = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


class S3Objects(InPieces):
    """Objects below a prefix of one bucket. Raises `objects.away` and `objects.refused` beside what the port says."""

    def __init__(self, bucket: str, prefix: str, config: S3Config, incoming: Path) -> None:
        """`incoming` is a folder of this process's own; uploads that a crash cut off are removed from it."""
        plain = str(config.get("endpoint", "")).startswith("http://")
        client: ClientConfig = {**_CLIENT, "allow_http": plain}
        self._where = f"s3://{bucket}/{prefix}".rstrip("/")
        self._store = S3Store(bucket, prefix=prefix or None, config=config, client_options=client, retry_config=_RETRY)
        self._incoming = incoming
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True)
        self.files = S3Files(self._store, incoming, self._asking)
        self.direct: DirectUploads | None = DirectUploads(bucket, prefix, config, self._store, self._asking)

    def check(self) -> None:
        """Store something, read it and remove it. Raises `objects.away`, `objects.refused`."""
        key, said = f"probe/{uuid.uuid4().hex}", b"lineside"
        try:
            with self._asking():
                obstore.put(self._store, key, said)
                found = bytes(obstore.get_range(self._store, key, start=0, length=len(said)))
                obstore.delete(self._store, key)
        except LinesideError as error:
            if error.code == "request.not_found":
                raise LinesideError("objects.away", where=self._where, why="there is no such bucket") from error
            raise
        if found != said:
            raise LinesideError("objects.away", where=self._where, why="it does not give back what it was given")

    def put(self, data: bytes | Iterable[bytes], expected: str | None = None, limit: int | None = None) -> str:
        if isinstance(data, bytes):
            if limit is not None and len(data) > limit:
                raise LinesideError("blob.too_large", limit=limit)
            digest = digest_of(data)
            check_digest(digest, expected)
            self._send(digest, io.BytesIO(data), len(data))
            return digest
        temporary = self._incoming / uuid.uuid4().hex
        try:
            digest = write_stream(temporary, data, limit, sync=False)
            check_digest(digest, expected)
            self._send(digest, temporary, temporary.stat().st_size)
        finally:
            temporary.unlink(missing_ok=True)
        return digest

    def put_many(self, blobs: Iterable[tuple[str, Iterable[bytes]]], limit: int | None = None) -> int:
        return sum(1 for digest, data in blobs if self.put(data, digest, limit))

    def _send(self, digest: str, data: Path | io.BytesIO, size: int) -> None:
        if self.exists(digest):
            return
        with self._asking(digest):
            obstore.put(
                self._store, key_of(digest), data, use_multipart=size > PART, chunk_size=PART, max_concurrency=4
            )

    def _read(self, digest: str, start: int, length: int) -> bytes:
        with self._asking(digest):
            return bytes(obstore.get_range(self._store, key_of(digest), start=start, length=length))

    def exists(self, digest: str) -> bool:
        try:
            self.size(digest)
        except LinesideError as error:
            if error.code != "request.not_found":
                raise
            return False
        return True

    def size(self, digest: str) -> int:
        with self._asking(digest):
            return obstore.head(self._store, key_of(digest))["size"]

    def delete(self, digest: str) -> None:
        with self._asking(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, key_of(digest))

    @contextlib.contextmanager
    def _asking(self, digest: str = "") -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise missing(digest) from error
        except (BaseError, OSError) as error:
            why = str(error).partition("\n")[0].rstrip(". :")[:300]
            refused = isinstance(error, PermissionDeniedError | UnauthenticatedError) or "403 Forbidden" in why
            raise LinesideError("objects.refused" if refused else "objects.away", where=self._where, why=why) from error
