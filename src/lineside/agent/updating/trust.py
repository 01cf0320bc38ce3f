"""What may be installed: who signed a recipe, by TUF metadata. It does not decide what to run.

The trusted root came with joining, over the pinned CA; metadata that is older than what was seen, that has expired by
the control plane's time, or that the wrong keys signed is refused. This side asks and fetches, a child judges
(`verifier`).
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import msgspec

from lineside.agent.attention import Attention
from lineside.agent.clock import DEVICE, Clock
from lineside.agent.link.error import LinkError
from lineside.agent.paths import Paths
from lineside.agent.ports import Carried, MetadataSource
from lineside.agent.updating.verdicts import (
    Begin,
    Check,
    Done,
    Failed,
    Fetch,
    Found,
    FromChild,
    FromParent,
    Refresh,
    Vouch,
    Wanted,
)
from lineside.contract.component import ComponentKind
from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import Kind, LinesideError, RemoteError
from lineside.contract.reading import UNREADABLE
from lineside.contract.trust import accepts, release_target, staging_target

PATIENCE = 180.0
"""Seconds that a refresh of the metadata, with the recipes after it, may take."""
_MAX_LINE = 64 << 20


class Trust:
    """One device's trusted metadata on disk. `refresh` first, then ask for recipes."""

    def __init__(
        self, control: MetadataSource, paths: Paths, attention: Attention, *, twin: bool, clock: Clock = DEVICE
    ) -> None:
        self._control = control
        self._attention = attention
        self._paths = paths
        self._twin = twin
        self._clock = clock
        self._judge: _Judge | None = None
        self._until = 0.0
        self._failure: LinesideError | None = None

    def refresh(self) -> float:
        """Bring the top-level metadata up to date; when the first of it expires. Raises `trust.…`, `LinkError`."""
        self.close()
        return self._ask(Refresh(), "metadata").expires

    def check(self, wanted: DesiredComponent) -> str:
        """The signed digest of a component's recipe. Raises `trust.…`."""
        self._check_path(wanted)
        signed = self._ask(Check(wanted.target), wanted.target).digest
        if signed is None:
            raise LinesideError("trust.unknown_target", target=wanted.target)
        if signed != wanted.recipe_digest:
            why = f"{signed} is signed, {wanted.recipe_digest} is wanted"
            raise LinesideError("trust.recipe_mismatch", name=wanted.name, why=why)
        return signed

    def fetch(self, wanted: DesiredComponent, signed: str) -> bytes:
        """A signed recipe's bytes, checked against its signed length and hash. Raises `trust.recipe_mismatch`."""
        return self._ask(Fetch(wanted.target), wanted.target, mismatch=wanted.name).data

    def vouch(self, payload: bytes, signatures: dict[str, str]) -> None:
        """Whether the control plane's timestamp key signed this (hex by key id). Raises `trust.signature`."""
        self._ask(Vouch(payload, signatures), "metadata")

    def close(self) -> None:
        """End the child; the next question starts another."""
        if self._judge is not None:
            self._judge.end()
            self._judge = None

    def _check_path(self, wanted: DesiredComponent) -> None:
        """The path must be one that may carry exactly this component, and one that this device accepts."""
        released = {release_target(kind, wanted.name, wanted.version) for kind in ComponentKind}
        if wanted.target not in released | {staging_target(wanted.name, wanted.version)}:
            raise LinesideError("trust.unknown_target", target=wanted.target)
        if not accepts(wanted.target, twin=self._twin):
            raise LinesideError("trust.wrong_role", target=wanted.target)

    # --- the child ------------------------------------------------------------------------------------------------

    def _ask(self, question: Refresh | Check | Fetch | Vouch, what: str, mismatch: str = "") -> Done:
        """Put a question, fetch what is wanted on the way, and return the answer. Raises what is wrong."""
        if self._judge is None or not self._judge.listens():
            self._begin()
        assert self._judge is not None
        try:
            answer = self._judge.ask(question, self._until, self._attention, self._found)
        except BaseException:
            self.close()
            raise
        if isinstance(answer, Done):
            return answer
        self.close()
        if self._failure is not None:
            raise self._failure
        if answer.code == "trust.mismatch":
            if mismatch:
                raise LinesideError("trust.recipe_mismatch", name=mismatch, why=answer.why)
            raise LinesideError("trust.metadata", why=answer.why)
        raise LinesideError(answer.code, why=answer.why if what == "metadata" else f"{what}: {answer.why}")

    def _begin(self) -> None:
        self._until = time.monotonic() + PATIENCE
        self._failure = None
        root = self._paths.trusted_root.read_bytes()
        moment = self._control.judged_at() if isinstance(self._control, Carried) else None
        fresh = None if moment is None else moment.timestamp()
        self._judge = _Judge(Begin(str(self._paths.metadata), root, self._clock.time(), fresh))

    def _found(self, url: str, limit: int) -> Found:
        """A file for the child."""
        try:
            data = b"".join(self._limited(self._control.metadata(url), limit))
        except (RemoteError, LinkError) as error:
            if error.kind is Kind.MISSING or getattr(error, "status", None) == Kind.MISSING:
                return Found(missing=True)
            self._failure = error
            return Found()
        return Found(data)

    def _limited(self, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
        """At most one chunk more than is believed anyway, and no longer than there is patience."""
        received = 0
        for chunk in chunks:
            self._attention.check()
            if time.monotonic() > self._until:
                raise LinkError("trust.timeout", seconds=f"{PATIENCE:g}")
            yield chunk
            received += len(chunk)
            if received > limit:
                return


class _Judge:
    """The verifier's process. It ends by itself when nothing is asked of it."""

    def __init__(self, begin: Begin) -> None:
        command = [sys.executable, "-m", "lineside.agent.updating.verifier"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._buffer = b""
        threading.Thread(target=self._process.wait, name="verifier", daemon=True).start()  # leaves no zombie
        self._send(begin)

    def listens(self) -> bool:
        """Whether it can be asked; it may end at any moment, and a question to it then fails."""
        return self._process.poll() is None

    def ask(
        self, question: FromParent, until: float, attention: Attention, found: Callable[[str, int], Found]
    ) -> Done | Failed:
        """Put a question; `found` fetches what the child wants. Raises what `found` and `attention` raise."""
        self._send(question)
        while True:
            answer = self._receive(until, attention)
            if not isinstance(answer, Wanted):
                return answer
            self._send(found(answer.url, answer.limit))

    def end(self) -> None:
        """End it now."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()

    def _send(self, message: FromParent) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `_receive` says that it has ended
            _write_all(self._process.stdin.fileno(), msgspec.json.encode(message) + b"\n")

    def _receive(self, until: float, attention: Attention) -> FromChild:
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            attention.check()
            left = until - time.monotonic()
            if left <= 0:
                raise LinkError("trust.timeout", seconds=f"{PATIENCE:g}")
            if handle not in select.select([handle, attention.off.fileno()], [], [], left)[0]:
                continue
            piece = os.read(handle, 1 << 20)
            if not piece or len(self._buffer) > _MAX_LINE:
                raise LinesideError("trust.metadata", why="the process that judges it ended")
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            answer: FromChild = msgspec.json.decode(line, type=FromChild)
        except UNREADABLE as error:
            raise LinesideError("trust.metadata", why=error) from error
        return answer


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
