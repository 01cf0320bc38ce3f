"""The models of this process by name, within a memory budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock, RLock, Timer

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.announce import announce
from lineside.runtime.engines import MOST_LANES, Port, bring
from lineside.runtime.engines.cores import usable_cores
from lineside.runtime.model import MODEL_FILE, described
from lineside.runtime.models.blank import blank, is_blank
from lineside.runtime.models.memory import Memory, check, estimate, give_back, memory, resident
from lineside.runtime.models.proof import Proven, prove
from lineside.runtime.models.settings import ModelSettings
from lineside.runtime.models.slot import Slot
from lineside.runtime.status import GoldenState

SOAK_SECONDS = 60.0
"""How long the model before a swap is kept, unless configuration says otherwise."""


class ModelDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind a name. `took_mb`: how much memory the process grew by when it was loaded."""

    name: str
    folder: str
    model: str
    version: int
    digest: str
    golden: GoldenState
    engine: str
    provider: str
    threads: int
    notes: tuple[str, ...]  # what was wanted of its engine and could not be had
    took_mb: float
    load_seconds: float
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    signature: Signature
    kept: str = ""  # digest of the model that `revert` puts back


class Library:
    """Loads, lists, describes, swaps and unloads. Every method may be called from any thread; while one loads, slots
    go on answering and only other loads wait."""

    def __init__(
        self,
        configured: Mapping[str, ModelSettings] | None = None,
        *,
        memory_mb: int | None = None,
        threads: int = 0,
        soak_seconds: float = SOAK_SECONDS,
        look: Callable[[int | None], Memory] = memory,
    ) -> None:
        """`memory_mb`: what this process may have; None: what its cgroup or the machine says. `threads`: for models
        that say nothing of their own."""
        self.routed: frozenset[str] = frozenset()
        """Names that sources are routed to: these are never unloaded."""
        self._settings = dict(configured or {})
        self._memory_mb, self._threads, self._soak, self._look = memory_mb, threads, soak_seconds, look
        self._slots: dict[str, Slot] = {}
        self._timers: dict[str, Timer] = {}
        self._took: dict[str, int] = {}  # bytes, by digest: how much memory grew when it was loaded
        self._loading = RLock()
        self._listing = Lock()

    def names(self) -> list[str]:
        """Those that are loaded."""
        with self._listing:
            return sorted(self._slots)

    def known(self) -> dict[str, Path]:
        """Every name that configuration or a load has given, with its folder; loaded or not."""
        with self._listing:
            return {name: Path(one.folder) for name, one in sorted(self._settings.items())}

    def slot(self, name: str) -> Slot:
        """Raises `model.not_loaded`."""
        with self._listing:
            found = self._slots.get(name)
        if found is None:
            raise LinesideError("model.not_loaded", name=name, known=", ".join(self.names()) or "none")
        return found

    def load(self, name: str, folder: Path | None = None) -> Slot:
        """Loads a model under a name, from the folder that configuration gives it when none is said; under a name that
        is loaded, the folder's model takes the place of the one that is there (`Slot.swap`); that is kept for the soak.

        Raises `model.no_memory` before anything is loaded, `model.not_loaded` for a name without a folder, and what
        `prove` raises; then everything is as it was.
        """
        with self._loading:
            known = self._settings.get(name)
            if folder is None and known is None:
                raise LinesideError("model.not_loaded", name=name, known=", ".join(self.names()) or "none")
            asked = ModelSettings(folder=str(folder)) if known is None else known
            if folder is not None:
                asked = msgspec.structs.replace(asked, folder=str(folder))
            slot = self._slots.get(name)
            if slot is None:
                slot = Slot(name, self._proven(name, Path(asked.folder)), lambda path: self._proven(name, path))
            else:
                slot.swap(Path(asked.folder))
                self._settle_later(name, slot)
            with self._listing:
                self._slots[name], self._settings[name] = slot, asked
            return slot

    def lies(self, name: str, folder: Path) -> bool:
        """Whether a name is not loaded; then the folder is the one that it is loaded from next."""
        with self._loading, self._listing:
            if name in self._slots:
                return False
            known = self._settings.get(name) or ModelSettings(folder=str(folder))
            self._settings[name] = msgspec.structs.replace(known, folder=str(folder))
            return True

    def unload(self, name: str) -> None:
        """Lets a model go; a call that it is answering just now still gets its answer. Raises `model.not_loaded`,
        `model.in_use` when a source is routed to it."""
        with self._loading:
            self.slot(name)
            if name in self.routed:
                raise LinesideError("model.in_use", name=name)
            self._stop_timer(name)
            with self._listing:
                del self._slots[name]
            give_back()
        announce("model.unloaded", slot=name)

    def revert(self, name: str) -> None:
        """Puts the model before the last swap back, at once. Raises `model.not_loaded`, `model.nothing_kept`."""
        slot = self.slot(name)
        slot.revert()
        self._settled(name, slot)

    def settle(self, name: str) -> None:
        """The soak of the last swap is over, for good: the model before is let go. Raises `model.not_loaded`."""
        slot = self.slot(name)
        slot.settle()
        self._settled(name, slot)

    def describe(self, name: str) -> ModelDescription:
        """Raises `model.not_loaded`."""
        slot = self.slot(name)
        proven, kept = slot.proven, slot.kept
        model = proven.model
        return ModelDescription(
            name=name,
            folder=str(proven.folder),
            model=model.identity.name,
            version=model.identity.version,
            digest=model.digest,
            golden=proven.golden,
            engine=model.signature.engine or "onnxruntime",
            provider=model.provider,
            threads=model.threads,
            notes=model.notes,
            took_mb=round(self._took.get(model.digest, 0) / 1e6, 1),
            load_seconds=round(proven.seconds, 3),
            inputs=model.inputs,
            outputs=model.outputs,
            signature=model.signature,
            kept=kept.model.digest if kept else "",
        )

    def close(self) -> None:
        """No timer goes on."""
        with self._loading:
            for name in list(self._timers):
                self._stop_timer(name)

    def proven(self, name: str, folder: Path, *, threads: int | None = None) -> Proven:
        """A model within the budget that stands behind no name, such as a shadow. Raises what `load` raises."""
        with self._loading:
            return self._proven(name, folder, threads)

    def _proven(self, name: str, folder: Path, threads: int | None = None) -> Proven:
        if is_blank(folder):
            return blank()
        settings = self._settings.get(name) or ModelSettings(folder=str(folder))
        wanted = settings.threads or self._threads if threads is None else threads
        if self._slots or self._memory_mb is not None:  # an estimate alone keeps no device from its only model
            check(name, _needed(folder, wanted), self._look(self._memory_mb))
        bring(described(folder)[1])  # so that its engine's own memory is not taken for the model's
        before = resident()
        proven = prove(folder, wanted, settings.options, aside=bool(self._slots))
        took = max(0, resident() - before)
        check(name, took, self._look(self._memory_mb), loaded=True)
        self._took[proven.model.digest] = took
        identity = proven.model.identity
        announce(
            "model.loaded",
            slot=name,
            model=identity.name,
            version=identity.version,
            digest=identity.digest,
            threads=proven.model.threads,
            provider=proven.model.provider,
            golden=proven.golden.value,
            seconds=round(proven.seconds, 3),
        )
        for note in proven.model.notes:
            announce("engine.note", slot=name, why=note)
        return proven

    def _settle_later(self, name: str, slot: Slot) -> None:
        self._stop_timer(name)
        if slot.kept is None:
            return
        timer = Timer(self._soak, self._soaked, (name, slot, slot.proven))
        timer.daemon = True
        self._timers[name] = timer
        timer.start()

    def _soaked(self, name: str, slot: Slot, proven: Proven) -> None:
        if slot.settle(proven):
            give_back()
            announce("model.settled", slot=name, version=proven.model.identity.version)

    def _settled(self, name: str, slot: Slot) -> None:
        with self._loading:
            self._stop_timer(name)
            with self._listing:
                self._settings[name] = msgspec.structs.replace(self._settings[name], folder=str(slot.proven.folder))
        give_back()

    def _stop_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


def _needed(folder: Path, threads: int) -> int:
    """About how many bytes a folder's model will take."""
    path = folder / MODEL_FILE
    try:
        size = path.stat().st_size
    except OSError as error:
        raise LinesideError("model.missing", path=path, why=error.strerror or type(error).__name__) from error
    return estimate(size, described(folder)[1], min(threads or usable_cores(), MOST_LANES))
