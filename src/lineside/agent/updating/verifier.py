"""TUF metadata is judged here, in a process of its own: `python -m lineside.agent.updating.verifier`.

python-tuf and the cryptography below it read what strangers may have written and need more memory than the agent has to
spare, so they live in a child that has no network, asks its parent for files (`verdicts`), writes the trusted metadata
below the folder it was given, and ends when nobody has asked for `IDLE` seconds.

Source: TUF specification 1.0, section 5 (detailed client workflow).
"""

from __future__ import annotations

import os
import select
import sys
from typing import NoReturn

import msgspec

from lineside.agent.updating.verdicts import Begin, Found, FromChild, FromParent, Wanted

IDLE = 10.0
_CPU_SECONDS = 120
_MEMORY = 1 << 30


def _send(message: FromChild) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


class _Lines:
    """Lines of standard input, with a time-out: what was read ahead is not forgotten, as it is by `select` alone."""

    def __init__(self) -> None:
        self._buffer = b""

    def next(self, timeout: float | None) -> bytes | None:
        """The next line; None when none came in time, empty at the end."""
        while b"\n" not in self._buffer:
            if not select.select([0], [], [], timeout)[0]:
                return None
            piece = os.read(0, 1 << 16)
            if not piece:
                return b""
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


_LINES = _Lines()


def _receive(timeout: float | None = None) -> FromParent:
    line = _LINES.next(timeout)
    if not line:
        sys.exit(0)
    message: FromParent = msgspec.json.decode(line, type=FromParent)
    return message


def main() -> NoReturn:
    """Serve one parent."""
    _limit()
    from lineside.agent.updating.verifying import Verifier

    begin = _receive()
    assert isinstance(begin, Begin)
    verifier = Verifier(begin, _ask)
    while True:
        _send(verifier.answer(_receive(IDLE)))


def _ask(url: str, limit: int) -> Found:
    _send(Wanted(url, limit))
    answer = _receive()
    assert isinstance(answer, Found)
    return answer


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    main()
