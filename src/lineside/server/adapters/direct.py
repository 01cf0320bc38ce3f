"""Uploads past the control plane: a PUT into a bucket, signed for one name, one content and a short while.

AWS Signature Version 4 in the query string (the API reference of Amazon S3, "Authenticating Requests: Using Query
Parameters"). Length and checksum are among the signed headers: more bytes do not fit the signature, others not the
checksum; the
name is one of `uploads/`, where nothing is believed until the control plane has read it and stored it under its digest.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

import obstore
from obstore.store import S3Store

from lineside.contract.capture import SignedPut
from lineside.server.adapters.object_rules import CHUNK, key_of

if TYPE_CHECKING:
    from obstore.store import S3Config

_PLACE = "uploads"
_ALGORITHM = "AWS4-HMAC-SHA256"
_ENVIRONMENT = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}


class DirectUploads:
    """What devices put into a bucket themselves. Raises `objects.away`, `objects.refused`."""

    def __init__(
        self,
        bucket: str,
        prefix: str,
        config: S3Config,
        store: S3Store,
        asking: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        """`asking` turns what the bucket answers into errors of ours."""
        said = dict(config)
        self._store, self._asking = store, asking
        self._region = str(said.get("region", "us-east-1"))
        self._keys = {
            name: str(said.get(name) or os.environ.get(variable, "")) for name, variable in _ENVIRONMENT.items()
        }
        endpoint = str(said.get("endpoint") or f"https://s3.{self._region}.amazonaws.com").rstrip("/")
        hosted = str(said.get("virtual_hosted_style_request", "")).lower() == "true"
        self._base = endpoint if hosted else f"{endpoint}/{bucket}"
        self._prefix = f"{prefix}/" if prefix else ""

    @property
    def secure(self) -> bool:
        """Whether the bucket is reached by https."""
        return self._base.startswith("https://")

    def put_url(self, name: str, digest: str, size: int, seconds: int, now: datetime) -> SignedPut | None:
        """A signed PUT of exactly these bytes under a name; None without keys to sign with."""
        key_of(digest)
        if not self._keys["access_key_id"] or not self._keys["secret_access_key"]:
            return None
        content = digest.removeprefix("sha256:")
        headers = {
            "content-length": str(size),
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(content)).decode(),
        }
        url = f"{self._base}/{self._prefix}{_PLACE}/{quote(name, safe='')}"
        return SignedPut(url=self._signed(url, headers, seconds, now), headers=headers)

    def stream(self, name: str) -> Iterator[bytes]:
        """What was put under a name, in pieces. Raises `request.not_found`."""
        key = f"{_PLACE}/{name}"
        with self._asking(name):
            size = obstore.head(self._store, key)["size"]
        return self._pieces(key, size)

    def remove(self, name: str) -> None:
        """Remove what was put under a name; nothing happens when nothing was."""
        with self._asking(name), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, f"{_PLACE}/{name}")

    def tidy(self, before: datetime) -> int:
        """Remove what was put before a moment and never counted; how much that was."""
        removed = 0
        with self._asking(_PLACE):
            old = [
                one["path"]
                for some in obstore.list(self._store, f"{_PLACE}/")
                for one in some
                if one["last_modified"] < before
            ]
            for path in old:
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(self._store, path)
                    removed += 1
        return removed

    def _pieces(self, key: str, size: int) -> Iterator[bytes]:
        for start in range(0, size, CHUNK):
            with self._asking(key):
                yield bytes(obstore.get_range(self._store, key, start=start, length=min(CHUNK, size - start)))

    def _signed(self, url: str, headers: dict[str, str], seconds: int, now: datetime) -> str:
        parts, moment = urlsplit(url), now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{moment[:8]}/{self._region}/s3/aws4_request"
        signed = {**headers, "host": parts.netloc}
        names = ";".join(sorted(signed))
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self._keys['access_key_id']}/{scope}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": names,
        }
        if self._keys["session_token"]:
            query["X-Amz-Security-Token"] = self._keys["session_token"]
        asked = urlencode(sorted(query.items()), quote_via=quote, safe="")
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        request = "\n".join(("PUT", parts.path, asked, lines, names, "UNSIGNED-PAYLOAD"))
        text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
        return f"{url}?{asked}&X-Amz-Signature={self._signature(scope, text)}"

    def _signature(self, scope: str, text: str) -> str:
        key = b"AWS4" + self._keys["secret_access_key"].encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()
