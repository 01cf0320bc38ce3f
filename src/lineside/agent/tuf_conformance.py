"""`python -m lineside.agent.tuf_conformance`: the agent's own updater behind the TUF conformance suite's command line.

    --metadata-dir DIR init TRUSTED_ROOT                                    remember the trusted root
    --metadata-dir DIR --metadata-url URL refresh                           bring the top-level metadata up to date
    --metadata-dir DIR --metadata-url URL --target-name PATH … --target-base-url URL --target-dir DIR download

It ends with 0 when everything could be believed, else with 1 and the reason on standard error. What is judged is judged
by `updating.verifying`, the same code that the agent's verifier runs; only the files come over plain HTTP from the
addresses given here, because the suite knows no devices' API.

Source: github.com/theupdateframework/tuf-conformance, CLIENT-CLI.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import urllib3

from lineside.agent.durable import write_atomically
from lineside.agent.updating.verdicts import Begin, Check, Done, Failed, Fetch, Found, FromParent, Refresh
from lineside.agent.updating.verifying import METADATA, TARGETS, Verifier
from lineside.contract.ids import digest_of

TRUSTED_ROOT = "trusted_root"
"""Where `init` keeps the root below the metadata folder; what joining keeps for a device."""
_PATIENCE = urllib3.Timeout(connect=5.0, read=10.0)


class _Refused(Exception):
    """Something could not be believed."""


class _Repository:
    """A repository behind two addresses, without redirects and without trying again."""

    def __init__(self, metadata: str, targets: str) -> None:
        self._bases = {METADATA: f"{metadata.rstrip('/')}/", TARGETS: f"{targets.rstrip('/')}/"}
        self._http = urllib3.PoolManager(timeout=_PATIENCE, retries=False)

    def find(self, url: str, limit: int) -> Found:
        """See `verifying.Ask`; at most one byte more than the limit is read."""
        folder, _, path = url.partition("/")
        try:
            with self._http.request("GET", self._bases[f"{folder}/"] + quote(path, "/%"), preload_content=False) as got:
                if got.status in (403, 404):
                    return Found(missing=True)
                return Found(got.read(limit + 1)) if got.status == 200 else Found()
        except urllib3.exceptions.HTTPError as error:
            sys.stderr.write(f"{url}: {error}\n")
            return Found()


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry one command out; the exit code."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "init":
            shutil.copyfile(given.trusted_root, given.metadata_dir / TRUSTED_ROOT)
        elif given.command == "refresh":
            _refreshed(given)
        else:
            _download(_refreshed(given), given.target_name, given.target_dir)
    except (_Refused, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _refreshed(given: argparse.Namespace) -> Verifier:
    repository = _Repository(given.metadata_url, given.target_base_url)
    root = (given.metadata_dir / TRUSTED_ROOT).read_bytes()
    begin = Begin(str(given.metadata_dir), root, time.time(), hashed_names=True)
    verifier = Verifier(begin, repository.find)
    _ask(verifier, Refresh())
    return verifier


def _download(verifier: Verifier, names: Sequence[str], folder: Path) -> None:
    """Each target by its quoted name; one that is there already with the signed digest is not fetched again."""
    for name in names:
        signed = _ask(verifier, Check(name)).digest
        if signed is None:
            raise _Refused(f"nobody has signed {name}")
        file = folder / quote(name, "")
        if not file.exists() or digest_of(file.read_bytes()) != signed:
            write_atomically(file, _ask(verifier, Fetch(name)).data)


def _ask(verifier: Verifier, question: FromParent) -> Done:
    answer = verifier.answer(question)
    if isinstance(answer, Failed):
        raise _Refused(f"{answer.code}: {answer.why}")
    return answer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lineside.agent.tuf_conformance")
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url", default="")
    parser.add_argument("--target-dir", type=Path)
    parser.add_argument("--target-base-url", default="")
    parser.add_argument("--target-name", action="append", default=[])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("trusted_root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    return parser


if __name__ == "__main__":
    sys.exit(main())
