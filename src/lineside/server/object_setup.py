"""Which object store a control plane uses: files in its root, or the bucket that the setting `objects_url` names."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from lineside.contract.errors import LinesideError
from lineside.server.adapters.objects import LocalObjects, ObjectStore
from lineside.server.settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config

_ASKED = {"endpoint", "region", "virtual_hosted_style_request"}
_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}


def open_objects(root: Path, settings: Settings) -> ObjectStore:
    """The store of these settings; a bucket has answered. Raises `start.setting_invalid`, `objects.away`,
    `objects.refused`."""
    if not settings.objects_url:
        return LocalObjects(root / "objects")
    from lineside.server.adapters.s3_objects import S3Objects

    bucket, prefix, config = read_url(settings.objects_url)
    if settings.objects_credentials:
        config = {**config, **read_credentials(Path(settings.objects_credentials))}
    objects = S3Objects(bucket, prefix, config, root / "incoming")
    objects.check()
    return objects


def read_url(url: str) -> tuple[str, str, S3Config]:
    """Bucket, prefix and what else s3://BUCKET/PREFIX?endpoint=URL&region=NAME says. Raises `start.setting_invalid`."""
    parts = urlsplit(url)
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    wrong = ""
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or ":" in parts.netloc:
        wrong = "objects_url must be s3://BUCKET/PREFIX?endpoint=URL&region=NAME; keys come from the environment"
    elif asked.keys() - _ASKED:
        wrong = f"objects_url says {', '.join(sorted(asked.keys() - _ASKED))}; known are {', '.join(sorted(_ASKED))}"
    elif "endpoint" in asked and urlsplit(asked["endpoint"]).scheme not in ("http", "https"):
        wrong = "the endpoint in objects_url must be an http or https URL"
    if wrong:
        raise LinesideError("start.setting_invalid", why=wrong)
    config: S3Config = {"region": "us-east-1"}
    config.update(asked)  # type: ignore[typeddict-item]  # the names were checked above
    return parts.netloc, parts.path.strip("/"), config


def read_credentials(file: Path) -> S3Config:
    """The keys in a file as AWS's tools write it (~/.aws/credentials), profile `default`. Raises
    `start.setting_invalid`."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text())
        section = parser["default"]
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError) as error:
        why = f"objects_credentials {file} cannot be read as keys of the profile [default] ({type(error).__name__})"
        raise LinesideError("start.setting_invalid", why=why) from error
    found: S3Config = {}
    found.update({ours: section[name] for name, ours in _KEYS.items() if name in section})  # type: ignore[typeddict-item]
    return found
