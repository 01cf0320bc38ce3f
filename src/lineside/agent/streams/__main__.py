"""`python -m lineside.agent.streams`: the stream manager of this device, until SIGTERM. `--probe`: whether it listens.

Its settings are those of Greengrass's component, from the file that `LINESIDE_CONFIG` names, else from the environment:

    STREAM_MANAGER_SERVER_PORT           8088; 0 takes any
    STREAM_MANAGER_STORE_ROOT_DIR        the component's work directory
    STREAM_MANAGER_AUTHENTICATE_CLIENT   true: only components, by the token that the agent gave them

Exports go to the folder `LINESIDE_EXPORTS`, where the agent takes them from.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from lineside.agent.streams.admission import Admission, everybody
from lineside.agent.streams.manager import Manager
from lineside.agent.streams.server import Server

HOST = "127.0.0.1"
MAINTAIN_SECONDS = 1.0

_log = logging.getLogger("streams")


def settings() -> dict[str, Any]:
    """What the component is configured to."""
    path = os.environ.get("LINESIDE_CONFIG")
    found: dict[str, Any] = msgspec.json.decode(Path(path).read_bytes()) if path else {}
    names = ("SERVER_PORT", "STORE_ROOT_DIR", "AUTHENTICATE_CLIENT")
    own = {name: found.get(f"STREAM_MANAGER_{name}", os.environ.get(f"STREAM_MANAGER_{name}")) for name in names}
    return {name: value for name, value in own.items() if value not in (None, "")}


def probe(port: int) -> int:
    """Whether somebody listens: an exit status."""
    try:
        socket.create_connection((HOST, port), timeout=5.0).close()
    except OSError:
        return 1
    return 0


def main(arguments: list[str]) -> int:
    """Run until told to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    chosen = settings()
    port = int(chosen.get("SERVER_PORT", 8088))
    if arguments == ["--probe"]:
        return probe(port)
    root = Path(chosen.get("STORE_ROOT_DIR", ".")).resolve()
    manager = Manager(root / "streams", Path(os.environ.get("LINESIDE_EXPORTS", root / "exports")))
    guarded = str(chosen.get("AUTHENTICATE_CLIENT", True)).lower() != "false"
    server = Server(manager, Admission() if guarded else everybody, HOST, port)
    end = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        end.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    threading.Thread(target=server.serve, name="accept", daemon=True).start()
    _log.info("listening on %s:%d, streams in %s", HOST, server.port, root)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    while not end.wait(MAINTAIN_SECONDS):
        try:
            manager.maintain()
        except OSError as error:  # a full or failing disk: what is acknowledged stays as it is, and the next try comes
            _log.error("the disk refuses: %s", error)
    server.close()
    manager.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
