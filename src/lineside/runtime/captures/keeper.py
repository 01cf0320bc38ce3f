"""The keeper: what the chooser wants is blurred, sealed and stored, or refused with a reason that is counted."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from lineside.contract.capture import CaptureRecord
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.result import Result
from lineside.runtime.announce import announce
from lineside.runtime.captures import counts
from lineside.runtime.captures.chooser import Chooser, Wanted
from lineside.runtime.captures.store import CaptureFolder
from lineside.runtime.captures.strategies import Seen
from lineside.runtime.decode import Picture
from lineside.runtime.stills import still, trace_of

if TYPE_CHECKING:
    from lineside.runtime.captures.blurring import Blur

_ANNOUNCED_AT_MOST = 20  # refusals; the status goes on counting


def looked_at(data: bytes | Picture) -> str:
    """What an image is known by: the digest of its file, or of some of its pixels."""
    return digest_of(data if isinstance(data, bytes) else trace_of(data))


class Keeper:
    """`keep` and `disagreed` may be called from any thread."""

    def __init__(self, chooser: Chooser, folder: CaptureFolder, blur: Blur | None = None) -> None:
        self._chooser, self._folder, self._blur = chooser, folder, blur
        self._lock = Lock()
        self._announced = 0

    def keep(self, data: bytes, wanted: Wanted, result: Result) -> CaptureRecord | None:
        """Stores an image that the chooser wants; None when it is refused, which is counted. Raises OSError when the
        disk fails, which is counted, too."""
        try:
            with self._lock:
                record = self._folder.keep(self._blurred(data, wanted.source), wanted, result)
        except OSError as error:
            self._refuse(wanted, counts.DISK, f"It could not be written: {error.strerror or error}.")
            raise
        except LinesideError as error:
            reason = counts.NOT_SEALED if error.code == "capture.no_key" else counts.NOT_BLURRED
            self._refuse(wanted, reason, error.message)
            return None
        if record is None:
            self._refuse(wanted, counts.STORE_FULL, "The store is full, and thinning makes no room.")
            return None
        self._chooser.kept(wanted)
        return record

    def disagreed(self, data: bytes | Picture, reason: str, result: Result) -> bool:
        """Stores an image on which the shadow disagrees, if there is budget for it."""
        picture = data.image if isinstance(data, Picture) else None
        seen = Seen(looked_at(data), result.source, result.detections, result.detections, picture)
        wanted = self._chooser.offer("shadow", seen, reason)
        if wanted is None:
            return False
        return self.keep(data if isinstance(data, bytes) else still(data), wanted, result) is not None

    def _blurred(self, data: bytes, source: str) -> bytes:
        try:
            return self._blur(data, source) if self._blur else data
        except LinesideError:
            raise
        except Exception as error:  # whatever broke: what is not blurred is not stored
            raise LinesideError("capture.not_blurred", why=f"{type(error).__name__}: {error}") from error

    def _refuse(self, wanted: Wanted, reason: str, why: str) -> None:
        self._chooser.dropped(wanted, reason, why)
        if self._announced < _ANNOUNCED_AT_MOST:
            self._announced += 1
            announce("capture.refused", strategy=wanted.strategy, reason=reason, why=why)
