"""The command line that the TUF conformance suite drives: the agent's updater over plain HTTP.

With LINESIDE_TUF_CONFORMANCE naming a checkout of the suite (github.com/theupdateframework/tuf-conformance; what it
needs in `.venv` or `env` in it, else in this interpreter; and `faketime` installed) all of the suite runs too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from lineside.agent import tuf_conformance
from lineside.contract.ids import digest_of
from tests.agent.tuf_repository import TufRepository

SUITE = os.environ.get("LINESIDE_TUF_CONFORMANCE", "")
PATH = "apps/app-1.0.0.json"


class Suite:
    """A small repository on HTTP and a client's folders."""

    def __init__(self, folder: Path) -> None:
        self.repository = TufRepository()
        self.repository.add(PATH, b"first")
        self.metadata, self.targets, self.root = folder / "metadata", folder / "targets", folder / "root.json"
        self.metadata.mkdir()
        self.targets.mkdir()
        self.root.write_text(self.repository.root)
        self.asked: list[str] = []
        suite = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(self.path)
                suite.asked.append(path)
                data = suite.find(path)
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *arguments: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def find(self, path: str) -> bytes | None:
        if path.startswith("/metadata/"):
            return self.repository.files.get(path.removeprefix("/metadata/"))
        for name, data in self.repository.targets.items():
            folder, _, last = name.rpartition("/")
            if path == f"/targets/{folder}/{digest_of(data).removeprefix('sha256:')}.{last}":
                return data
        return None

    def init(self) -> int:
        return tuf_conformance.main(["--metadata-dir", str(self.metadata), "init", str(self.root)])

    def refresh(self) -> int:
        url = f"http://127.0.0.1:{self.server.server_port}"
        return tuf_conformance.main(
            ["--metadata-url", f"{url}/metadata", "--metadata-dir", str(self.metadata), "refresh"]
        )

    def download(self, *names: str) -> int:
        url = f"http://127.0.0.1:{self.server.server_port}"
        wanted = [argument for name in names for argument in ("--target-name", name)]
        places = ["--target-dir", str(self.targets), "--target-base-url", f"{url}/targets"]
        first = ["--metadata-url", f"{url}/metadata", "--metadata-dir", str(self.metadata)]
        return tuf_conformance.main([*first, *wanted, *places, "download"])

    def files(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.targets.iterdir())]


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    found = Suite(tmp_path)
    assert found.init() == 0
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_init_asks_nobody_and_refresh_keeps_what_it_believes(suite: Suite) -> None:
    assert suite.asked == []
    assert suite.refresh() == 0
    assert (suite.metadata / "timestamp.json").read_bytes() == suite.repository.files["timestamp.json"]
    assert (suite.metadata / "root.json").read_bytes() == suite.repository.files["1.root.json"]


def test_a_target_is_fetched_once_until_it_changes(suite: Suite) -> None:
    assert suite.download(PATH) == 0
    assert suite.files() == [b"first"]
    suite.asked.clear()
    assert suite.download(PATH) == 0
    assert [path for path in suite.asked if path.startswith("/targets/")] == []
    suite.repository.add(PATH, b"second")
    assert suite.download(PATH) == 0
    assert suite.files() == [b"second"]


def test_the_first_target_that_fails_ends_it(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    suite.repository.add("apps/other-1.0.0.json", b"other")
    assert suite.download(PATH, "apps/nobody-1.0.0.json", "apps/other-1.0.0.json") == 1
    assert suite.files() == [b"first"]
    assert "nobody has signed apps/nobody-1.0.0.json" in capsys.readouterr().err


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_wrong_key_is_refused(suite: Suite, role: str) -> None:
    assert suite.refresh() == 0
    before = (suite.metadata / f"{role}.json").read_bytes()
    suite.repository.publish(wrong_key=role)
    assert suite.refresh() == 1
    assert (suite.metadata / f"{role}.json").read_bytes() == before


def test_nobody_there_is_a_failure(suite: Suite) -> None:
    suite.server.shutdown()
    suite.server.server_close()
    assert suite.refresh() == 1


def test_a_client_without_a_root_fails(tmp_path: Path) -> None:
    arguments = ["--metadata-dir", str(tmp_path), "--metadata-url", "http://127.0.0.1:1", "refresh"]
    module = [sys.executable, "-m", "lineside.agent.tuf_conformance"]
    done = subprocess.run([*module, *arguments], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"trusted_root" in done.stderr


@pytest.mark.skipif(not SUITE, reason="LINESIDE_TUF_CONFORMANCE names no checkout of the suite")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_suite(tmp_path: Path) -> None:
    checkout = Path(SUITE).resolve()
    found = [checkout / name / "bin" / "python" for name in (".venv", "env")]
    python = next((path for path in found if path.exists()), Path(sys.executable))
    entry = f"{sys.executable} -m lineside.agent.tuf_conformance"
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tuf_conformance",
        "--entrypoint",
        f"/usr/bin/env {entry}",
    ]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
