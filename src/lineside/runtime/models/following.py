"""Follows models' components: when the agent says that another version lies elsewhere, that is swapped in.

The agent writes a file (see `lineside.contract.configuration.FOLLOWS_KEY`). Whether the swap was done is in the status,
which the probe waits for; when it was refused, the agent goes back to the version before, the file names that one's
folder again, and the process has decided with it all along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread

from lineside.contract.errors import LinesideError
from lineside.runtime.announce import announce
from lineside.runtime.models.library import Library
from lineside.runtime.models.swap_status import SwapState, SwapStatus

_EVERY = 0.2  # seconds between two looks


class _Followed:
    """One component, and how the last swap of its model stands."""

    def __init__(self, library: Library, name: str) -> None:
        self.wanted: Path | None = None
        self._library, self._name = library, name
        self._error: LinesideError | None = None
        self._loading = False

    @property
    def status(self) -> SwapStatus:
        """Done, as long as there was none, and of a model that is not loaded."""
        loading, error = self._loading, self._error
        try:
            slot = self._library.slot(self._name)
        except LinesideError:
            return SwapStatus(folder=str(self.wanted or ""), state=SwapState.DONE)
        wanted = self.wanted or slot.proven.folder
        if slot.proven.folder == wanted:
            return SwapStatus(folder=str(wanted), state=SwapState.DONE)
        if loading:
            return SwapStatus(folder=str(wanted), state=SwapState.LOADING)
        error = error or slot.gave_up
        return SwapStatus(folder=str(wanted), state=SwapState.REFUSED, error=error.report() if error else None)

    def take_up(self, folder: Path) -> bool:
        """Swaps, unless that folder's model decides already; whether it did."""
        self._error, self._loading = None, True
        self.wanted = folder
        try:
            if self._library.lies(self._name, folder):
                return False
            if self._library.slot(self._name).proven.folder == folder:
                return False
            self._library.load(self._name, folder)
            return True
        except LinesideError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the model before goes on
            self._error = LinesideError("model.unreadable", why=f"{type(error).__name__}: {error}")
        finally:
            self._loading = False
        announce("model.refused", slot=self._name, code=self._error.code, why=self._error.message)
        return False


class Following:
    """Swaps a model whenever its component lies elsewhere."""

    def __init__(
        self,
        library: Library,
        slots: Callable[[Mapping[str, Path]], Mapping[str, str]],
        look: Callable[[], Mapping[str, Path]],
        swapped: Callable[[], None] = lambda: None,
    ) -> None:
        """`slots`: the name of each component's model, by where they lie; `look`: where each component lies now;
        `swapped` is called after a swap, in the thread that made it."""
        self._library, self._slots = library, slots
        self._followed: dict[str, _Followed] = {}
        self._unused: frozenset[str] = frozenset()
        self._look, self._swapped = look, swapped
        self._meet(look())
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="following", daemon=True)

    @property
    def status(self) -> dict[str, SwapStatus]:
        """How the last swap of each stands, by component."""
        unused = {component: SwapStatus(folder="", state=SwapState.UNUSED) for component in sorted(self._unused)}
        return unused | {component: one.status for component, one in self._followed.copy().items()}

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Ends; a swap that is under way may be left."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY):
            try:
                self._follow(self._look())
            except Exception as error:  # noqa: BLE001 - the models decide all the same; the next version is followed
                announce("following.failed", why=f"{type(error).__name__}: {error}")

    def _meet(self, folders: Mapping[str, Path]) -> None:
        """Finds the models of components that are new, once the agent names them."""
        if not folders.keys() - self._followed.keys() - self._unused:
            return
        found = self._slots(folders)
        self._followed |= {
            component: _Followed(self._library, name)
            for component, name in found.items()
            if component not in self._followed
        }
        self._unused = frozenset(folders.keys() - self._followed.keys())

    def _follow(self, folders: Mapping[str, Path]) -> None:
        self._meet(folders)
        for component, one in self._followed.items():
            folder = folders.get(component)
            if folder is not None and folder != one.wanted and one.take_up(folder):
                self._swapped()
