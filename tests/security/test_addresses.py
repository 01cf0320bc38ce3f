"""A recipe cannot make a device ask an address of its author's choice (SSRF): artifacts are asked for by digest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lineside.agent.attention import Attention
from lineside.agent.testing import FakeControlPlane
from lineside.agent.updating.store import Store
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.recipes.reader import read_recipe
from tests.agent.components import artifact, recipe

PLATFORM = {"os": "linux", "architecture": "amd64"}
DATA = b"the genuine artifact"


@pytest.mark.parametrize(
    "uri",
    [
        "http://169.254.169.254/latest/meta-data/iam",
        "https://intranet.example/backup.zip",
        "file:///etc/shadow",
        "ftp://127.0.0.1/a",
        "//127.0.0.1/a",
        "docker:registry.example/image",
        "gopher://127.0.0.1:25/_HELO",
        "s3://bucket/key/a.bin",
    ],
)
def test_other_addresses_are_refused_when_the_recipe_is_read(uri: str) -> None:
    entry = artifact("a", digest_of(DATA)) | {"URI": uri}
    with pytest.raises(LinesideError, match="recipe"):
        read_recipe(json.dumps(recipe(artifacts=[entry])).encode(), PLATFORM)


@pytest.mark.parametrize(
    "uri",
    [
        "lineside:sha256/../../../device/v1/desired",
        "lineside:http://127.0.0.1/a",
        "lineside:x/a",
    ],
)
def test_the_address_is_never_asked(uri: str, tmp_path: Path) -> None:
    """Of an address that a recipe may have only the file name counts; the control plane is asked for the digest."""
    entry = artifact("a.bin", digest_of(DATA)) | {"URI": uri}
    (found,) = read_recipe(json.dumps(recipe(artifacts=[entry])).encode(), PLATFORM).artifacts
    asked: list[str] = []

    class Watched(FakeControlPlane):
        def artifact(self, digest: str, offset: int):  # type: ignore[no-untyped-def]
            asked.append(digest)
            return super().artifact(digest, offset)

    plane = Watched()
    plane.add_blob(DATA)
    Store(tmp_path).fetch(plane, found.digest, found.name, lambda count: None, Attention())
    assert asked == [digest_of(DATA)]
