"""`join`, `fingerprint`, `run` and `status`: what every device does."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys

from lineside.agent.commands.common import Commands, add_command, paths_of, show


def add(commands: Commands) -> None:
    """Add them to the parser."""
    joining = add_command(commands, "join", "join a control plane", _join)
    joining.add_argument("url", metavar="URL", help="the control plane's device address, https://HOST:PORT")
    joining.add_argument("--token", default="", help="a join token; without one its key was preauthorised, or it waits")
    joining.add_argument("--wait", action="store_true", help="without a token: wait until a person has accepted it")
    joining.add_argument("--ca-sha256", required=True, help="SHA-256 fingerprint of the control plane's CA")
    joining.add_argument("--name", default=socket.gethostname(), help="the device's name (default: the host's)")
    joining.add_argument("--twin", action="store_true", help="join as a twin: a simulated device that tests releases")
    joining.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", help="a label to suggest; repeat it"
    )
    joining.add_argument("--key", help="a key in a PKCS#11 token, pkcs11:token=…;object=…?…; or 'file' (the default)")
    joining.add_argument("--force", action="store_true", help="join again though the root has joined before")
    showing = add_command(commands, "fingerprint", "show the fingerprint of the device's key", _fingerprint)
    showing.add_argument("--key", help="where the key shall lie, as for join")
    add_command(commands, "run", "run the agent until SIGTERM or Ctrl-C", _run)
    add_command(commands, "status", "show what this device runs", _status)


def _join(options: argparse.Namespace) -> int:
    from lineside.agent.link.join import JoinOptions, join
    from lineside.agent.lock import locked
    from lineside.contract.device import JoinAnswer
    from lineside.contract.errors import LinesideError

    paths = paths_of(options)
    wanted = JoinOptions(
        url=options.url,
        token=options.token,
        ca_sha256=options.ca_sha256,
        name=options.name,
        twin=options.twin,
        force=options.force,
        key=options.key,
        wait=options.wait,
        labels=tuple(options.label),
    )

    def waiting(answer: JoinAnswer) -> None:
        sys.stderr.write(
            f"{LinesideError('join.pending', device=answer.device, fingerprint=answer.fingerprint).message}\n"
        )
        sys.stderr.flush()

    with locked(paths):
        joined = join(wanted, paths, waiting)
    show(options, joined, f"Joined as {joined.device}. Next: lineside agent run --root {paths.root}")
    return 0


def _fingerprint(options: argparse.Namespace) -> int:
    """Of the key there is; made now when there is none, so that it can be preauthorised."""
    from lineside.agent.keys.opening import choose
    from lineside.agent.keys.port import CURRENT
    from lineside.agent.link.join import key_fingerprint
    from lineside.agent.lock import locked

    paths = paths_of(options)
    keys = choose(paths, options.key)
    if not keys.exists(CURRENT):
        with locked(paths):
            keys.make(CURRENT)
    found = key_fingerprint(keys)
    show(options, {"fingerprint": found}, found)
    return 0


def _run(options: argparse.Namespace) -> int:
    """Run it; through the loader when the root has one, which then starts the agent that is to run."""
    from lineside.agent.loader.control import loader_of

    paths = paths_of(options)
    loader = loader_of(paths)
    if loader is not None:
        os.execv(loader[0], loader)
    from lineside.agent.run import run
    from lineside.agent.supervision.logs import agent_log

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    agent_log.record(paths.agent_log)
    run(paths)
    return 0


def _status(options: argparse.Namespace) -> int:
    from lineside.agent.status import sentence, status

    found = status(paths_of(options))
    show(options, found, sentence(found))
    return 0
