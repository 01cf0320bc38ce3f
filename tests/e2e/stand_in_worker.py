"""A worker that trains nothing: it registers a tiny model for each run, so that a demo is soon at its rollout."""

from __future__ import annotations

import argparse
import os
import sys
import threading

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.run import RunFinish, RunState
from tests.e2e import tiny

_PAUSE = threading.Event()


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


def _work(client: Client) -> None:
    run = client.claim_run("stand-in")
    if run is None:
        _PAUSE.wait(0.2)
        return
    made = tiny.register(client, run.request.model, "of the stand-in", run.id)
    client.finish_run(run.id, RunFinish(state=RunState.SUCCEEDED, model_version=made.version))


def main() -> None:
    """Work until the control plane is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--root", required=True)
    client = Client(parser.parse_args().url, os.environ["LINESIDE_TOKEN"])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            _work(client)
        except LinesideError as error:
            if error.code != "client.unreachable":
                raise
            _PAUSE.wait(0.2)


if __name__ == "__main__":
    main()
