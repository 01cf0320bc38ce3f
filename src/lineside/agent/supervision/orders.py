"""What others want of one component's thread: end, stay down, a fresh start; and what the component says of itself.

Any thread gives orders; the component's own waits for them beside its processes and obeys at `check`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from lineside.agent.supervision.processes import Wake
from lineside.contract.reported import ComponentState


class EndAsked(Exception):
    """The component's thread is to end."""


class DownAsked(Exception):
    """The component is to be down for now: by hand, or because one that it cannot do without is not ready."""


class SaidErrored(Exception):
    """The component has said of itself that it is ERRORED (UpdateState)."""


class Orders(Wake):
    """One component's. `may_run(up)` is asked whenever anything changes: may it start, or if it is up, go on?"""

    def __init__(self, may_run: Callable[[bool], bool]) -> None:
        super().__init__()
        self.ended = False
        self.held = False  # by hand: for a restart, or until
        self.stopped = False  # somebody wants it again
        self.up = False
        self.patience = 60.0  # seconds it may take to shut down
        self.running_said = threading.Event()
        self._errored_said = False
        self._may_run = may_run
        self._lock = threading.Lock()
        self._closed = False

    def set(self) -> None:
        """Let its thread look again. Nothing happens when that has gone."""
        with self._lock:
            if not self._closed:
                super().set()

    def close(self) -> None:
        """The thread has gone."""
        with self._lock:
            self._closed = True
            super().close()

    def end(self, patience: float) -> None:
        """End for good."""
        self.patience = patience
        self.ended = True
        self.set()

    def hold(self, held: bool, *, stopped: bool = False) -> None:
        """Stay down, or do not any more."""
        self.held, self.stopped = held, held and stopped
        self.set()

    def say(self, state: ComponentState) -> None:
        """The component speaks of itself."""
        if state is ComponentState.ERRORED:
            self._errored_said = True
        else:
            self.running_said.set()
        self.set()

    def may_run(self) -> bool:
        """Whether nothing keeps the component down."""
        return not self.held and self._may_run(self.up)

    def begin(self) -> None:
        """A new life: what was said in the one before does not matter."""
        self.running_said.clear()
        self._errored_said = False

    def is_set(self) -> bool:
        """Whether what goes on is to be broken off. A change that asks for nothing is forgotten."""
        self.clear()
        return self.ended or self._errored_said or not self.may_run()

    def rest(self, seconds: float) -> None:
        """Wait, unless something is asked. Raises what `check` raises."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            self.wait(left)
        self.check()

    def check(self) -> None:
        """Obey. Raises `EndAsked`, `DownAsked`, `SaidErrored`."""
        self.clear()
        if self.ended:
            raise EndAsked
        if not self.may_run():
            raise DownAsked
        if self._errored_said:
            raise SaidErrored
