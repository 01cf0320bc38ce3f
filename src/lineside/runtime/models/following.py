"""Follows the model's component: when the agent says that another version lies elsewhere, that is swapped in.

The agent writes a file (see `lineside.contract.configuration.FOLLOWS_KEY`). Whether the
swap was done is in the status, which the probe waits for; when it was refused, the agent goes back to the version
before, the file names that one's folder again, and the process has decided with it all along.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from lineside.contract.errors import LinesideError
from lineside.runtime.announce import announce
from lineside.runtime.models.followed import followed_folder
from lineside.runtime.models.library import Library
from lineside.runtime.models.swap_status import SwapState, SwapStatus

_EVERY = 0.2  # seconds between two looks


class Following:
    """Swaps the model named `name` whenever the file names another folder."""

    def __init__(
        self,
        library: Library,
        name: str,
        file: Path,
        component: str = "",
        swapped: Callable[[], None] = lambda: None,
    ) -> None:
        """`swapped` is called after each swap, in the thread that made it."""
        self._library, self._name, self._file, self._component = library, name, file, component
        self._swapped = swapped
        self._wanted: Path | None = None
        self._error: LinesideError | None = None
        self._loading = False
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="following", daemon=True)

    @property
    def status(self) -> SwapStatus:
        """How the last swap stands; done, as long as there was none."""
        slot = self._library.slot(self._name)
        loading, error = self._loading, self._error
        wanted = self._wanted or slot.proven.folder
        if slot.proven.folder == wanted:
            return SwapStatus(folder=str(wanted), state=SwapState.DONE)
        if loading:
            return SwapStatus(folder=str(wanted), state=SwapState.LOADING)
        error = error or slot.gave_up
        return SwapStatus(folder=str(wanted), state=SwapState.REFUSED, error=error.report() if error else None)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Ends; a swap that is under way may be left."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY):
            folder = followed_folder(self._file, self._component)
            if folder is not None and folder != self._wanted:
                self._take_up(folder)

    def _take_up(self, folder: Path) -> None:
        self._error, self._loading = None, True
        self._wanted = folder
        try:
            if self._library.slot(self._name).proven.folder != folder:
                self._library.load(self._name, folder)
                self._swapped()
        except LinesideError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the model before goes on
            self._error = LinesideError("model.unreadable", why=f"{type(error).__name__}: {error}")
        finally:
            self._loading = False
        if self._error is not None:
            announce("model.refused", slot=self._name, code=self._error.code, why=self._error.message)
