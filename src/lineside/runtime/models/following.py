"""Follows models' components: when the agent says that another version lies elsewhere, that is swapped in, by each
model that is of the component.

The agent writes a file (see `lineside.contract.configuration.FOLLOWS_KEY`). Whether the swap was done is in the status,
which the probe waits for; when it was refused, the agent goes back to the version before, the file names that one's
folder again, and the process has decided with it all along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread

from lineside.contract.errors import LinesideError
from lineside.runtime.announce import announce
from lineside.runtime.models.library import Library
from lineside.runtime.models.swap_status import SwapState, SwapStatus

_EVERY = 0.2  # seconds between two looks
_LEAST_FAR = (SwapState.LOADING, SwapState.REFUSED, SwapState.DONE)


class _Followed:
    """One model of a component, and how its last swap stands."""

    def __init__(self, library: Library, name: str) -> None:
        self.wanted: Path | None = None
        self._library, self._name = library, name
        self._error: LinesideError | None = None
        self._loading = False

    @property
    def status(self) -> SwapStatus:
        """Done, as long as there was none, and of a model that is not loaded."""
        folder = self.wanted  # first: what is wanted is loading before it is wanted
        loading, error = self._loading, self._error
        try:
            slot = self._library.slot(self._name)
        except LinesideError:
            return SwapStatus(folder=str(folder or ""), state=SwapState.DONE)
        wanted = folder or slot.proven.folder
        if slot.proven.folder == wanted:
            return SwapStatus(folder=str(wanted), state=SwapState.DONE)
        if loading:
            return SwapStatus(folder=str(wanted), state=SwapState.LOADING)
        error = error or slot.gave_up
        return SwapStatus(folder=str(wanted), state=SwapState.REFUSED, error=error.report() if error else None)

    def expect(self, folder: Path) -> None:
        """That folder's model is taken up soon: until then, its swap is under way."""
        self._error, self._loading = None, True
        self.wanted = folder

    def take_up(self, folder: Path) -> bool:
        """Swaps, unless that folder's model decides already; whether it did."""
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
        slots: Callable[[Mapping[str, Path]], Mapping[str, Sequence[str]]],
        look: Callable[[], Mapping[str, Path]],
        swapped: Callable[[], None] = lambda: None,
    ) -> None:
        """`slots`: the names of each component's models, by where they lie; `look`: where each component lies now;
        `swapped` is called after a swap, in the thread that made it."""
        self._library, self._slots = library, slots
        self._followed: dict[str, tuple[_Followed, ...]] = {}
        self._unused: frozenset[str] = frozenset()
        self._look, self._swapped = look, swapped
        self._meet(look())
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="following", daemon=True)

    @property
    def status(self) -> dict[str, SwapStatus]:
        """How the last swap of each stands, by component: done when all its models have done it."""
        unused = {component: SwapStatus(folder="", state=SwapState.UNUSED) for component in sorted(self._unused)}
        return unused | {component: _together(each) for component, each in self._followed.copy().items()}

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
            component: tuple(_Followed(self._library, name) for name in names)
            for component, names in found.items()
            if component not in self._followed
        }
        self._unused = frozenset(folders.keys() - self._followed.keys())

    def _follow(self, folders: Mapping[str, Path]) -> None:
        self._meet(folders)
        for component, each in self._followed.items():
            folder = folders.get(component)
            if folder is None:
                continue
            behind = [one for one in each if one.wanted != folder]
            for one in behind:
                one.expect(folder)
            swapped = [one.take_up(folder) for one in behind]  # of the others, too, when one is refused
            if any(swapped):
                self._swapped()


def _together(each: Sequence[_Followed]) -> SwapStatus:
    """Of several models of one component, the one that is least far."""
    return min((one.status for one in each), key=lambda status: _LEAST_FAR.index(status.state))
