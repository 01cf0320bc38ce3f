"""A real S3 endpoint on this machine: SeaweedFS, which holds every request to its signature."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import obstore
from obstore.store import S3Store

from lineside.server.testing import until
from tests.eventually import PATIENCE

KEY, SECRET = "lineside", "a-secret-of-this-test-only"
BUCKET = "lineside-test"


def program() -> str | None:
    """Where `weed` is, if it is installed."""
    return shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))


@dataclass
class Seaweed:
    """A running endpoint with one bucket."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, prefix: str = "", endpoint: str | None = None) -> str:
        """The value of objects_url."""
        return f"s3://{BUCKET}/{prefix}?endpoint={quote(endpoint or self.endpoint, safe='')}&region=us-east-1"

    def store(self) -> S3Store:
        """The bucket, looked at from beside."""
        return S3Store(
            BUCKET,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )


@contextmanager
def seaweed(folder: Path) -> Iterator[Seaweed]:
    """Start one on `folder`; ready when the bucket can be written."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "lineside",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir(exist_ok=True)
    found, process = _start(folder)
    try:
        yield found
    finally:
        process.kill()
        process.wait(PATIENCE)


def _start(folder: Path) -> tuple[Seaweed, subprocess.Popen[bytes]]:
    """Start it; on other ports when somebody took one of its ports meanwhile, which ends it."""
    for _ in range(3):
        ports = _free_ports(4)
        process = _run(folder, ports)
        found = Seaweed(ports[-1])
        try:
            until(lambda found=found, process=process: process.poll() is not None or _make_bucket(found), 60)
        except TimeoutError:
            process.kill()
            process.wait(PATIENCE)
        if process.poll() is None:
            return found, process
    raise RuntimeError(f"no S3 endpoint: {(folder / 'log').read_text(errors='replace')[-2000:]}")


def _run(folder: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    command = [str(program()), "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += ["-volume.max=100", "-master.volumeSizeLimitMB=64", "-s3", f"-s3.config={folder / 's3.json'}"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]  # fixed ports: a second endpoint would end over them
    for name, port in zip(("master", "volume", "filer", "s3"), ports, strict=True):
        command += [f"-{name}.port={port}", f"-{name}.port.grpc={port + 10_000}"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


def _make_bucket(found: Seaweed) -> bool:
    """Whether the bucket is there and takes something; made when it is not."""
    try:
        obstore.put(found.store(), "ready", b"x")
        obstore.delete(found.store(), "ready")
    except Exception:  # noqa: BLE001 it is only just starting
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Free ports below the kernel's own, whose neighbours 10,000 above are free too: those are for gRPC."""
    ports = random.SystemRandom().sample(range(12_000, 21_000), 200)
    return [one for one in ports if _free(one) and _free(one + 10_000)][:count]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
