"""A camera: RTSP (or any address that FFmpeg reads), or USB (Video4Linux). Only its newest frame matters.

It is read without a pause, so that nothing old waits in buffers. When it does not answer, or sends no picture (sound
alone is none), it is opened again, after longer and longer pauses. Both are alarms, and so is the same picture over and
over: what a frozen camera sends is not decided on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.frames import Frame, Intake, SourceState
from lineside.runtime.sources.moving import faults, opened, picture_of, trace, unnamed, untold
from lineside.runtime.sources.threaded import ThreadedSource

if TYPE_CHECKING:
    from av import VideoFrame

_FIRST_PAUSE = 0.5
_GAVE_UP = "Immediate exit requested"  # what FFmpeg says when its time is up


class RtspSettings(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="rtsp"):
    """`url`: rtsp://…, or another address that FFmpeg reads (http, tcp, udp, srt)."""

    url: str
    transport: str = "tcp"  # or udp
    silent_after: float = 10.0  # seconds without a frame after which it is opened again
    frozen_after: float = 30.0  # seconds of one and the same picture that make it frozen; 0: never
    fps: float = 0.0  # frames a second at most, the others count as skipped; 0: all


class UsbSettings(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="usb"):
    """A camera of Video4Linux. What it is not asked for it chooses itself."""

    device: str = "/dev/video0"
    format: str = ""  # mjpeg, yuyv422, …
    size: str = ""  # 1280x720
    rate: float = 0.0  # frames a second that it is asked for
    silent_after: float = 10.0
    frozen_after: float = 30.0
    fps: float = 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """How a camera is opened, and when it counts as dead or frozen."""

    where: str
    how: dict[str, Any]
    silent_after: float = 10.0
    frozen_after: float = 30.0
    fps: float = 0.0
    longest_pause: float = 30.0  # between tries to open it


def rtsp(settings: RtspSettings) -> Way:
    """The way to a network camera."""
    options = {"fflags": "nobuffer", "analyzeduration": "1000000"}  # µs
    if settings.url.startswith(("rtsp:", "rtsps:")):
        options["rtsp_transport"] = settings.transport
    how = {"options": options, "timeout": settings.silent_after}
    return Way(settings.url, how, settings.silent_after, settings.frozen_after, settings.fps)


def usb(settings: UsbSettings) -> Way:
    """The way to a camera of this machine."""
    asked = {"input_format": settings.format, "video_size": settings.size, "framerate": f"{settings.rate:g}"}
    options = {key: value for key, value in asked.items() if value not in ("", "0")}
    how = {"format": "v4l2", "options": options, "timeout": settings.silent_after}
    return Way(settings.device, how, settings.silent_after, settings.frozen_after, settings.fps)


class CameraSource(ThreadedSource):
    """The frames of one camera as they come."""

    def __init__(self, name: str, way: Way) -> None:
        super().__init__(name, live=True)
        self._way, self._called = way, unnamed(way.where)
        self._pause, self._opened = _FIRST_PAUSE, 0
        self._trace, self._moved_at, self._offered_at = -1, time.monotonic(), float("-inf")
        self._seen_at = time.monotonic()  # the last picture, or when it was opened

    def run(self, intake: Intake) -> None:
        while not self.stopping.is_set():
            try:
                self._watch(intake)
                why = "it ended"
            except LinesideError:
                raise
            except faults() as error:
                why = untold(str(error), self._way.where)
            if not self.stopping.is_set():
                self._away(why)
                self.stopping.wait(self._pause)
                self._pause = min(2 * self._pause, self._way.longest_pause)

    def _away(self, why: str) -> None:
        silent = _GAVE_UP in why
        if silent and self._opened:
            error = LinesideError("source.silent", url=self._called, seconds=self._way.silent_after)
        else:
            error = LinesideError("source.away", url=self._called, why="it does not answer" if silent else why)
        self.become(SourceState.AWAY, error)

    def _watch(self, intake: Intake) -> None:
        with opened(self._way.where, **self._way.how) as container:
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"  # a thread a frame would hold as many frames back
            again = self._opened > 0
            self._opened += 1
            self._seen_at = time.monotonic()
            for packet in container.demux():  # of all streams: those of one alone would be waited for without end
                if self.stopping.is_set():
                    return
                if time.monotonic() - self._seen_at > self._way.silent_after:
                    raise TimeoutError(_GAVE_UP)
                if packet.stream.index != stream.index:
                    continue
                for image in self._images(packet, intake):
                    if again:
                        self.reconnected()
                        again = False
                    self._pause = _FIRST_PAUSE
                    self._bring(intake, image)

    def _images(self, packet: Any, intake: Intake) -> list[VideoFrame]:
        try:
            return list(packet.decode())
        except faults():
            intake.skip("damaged")
            return []

    def _bring(self, intake: Intake, image: VideoFrame) -> None:
        moment = self._seen_at = time.monotonic()
        self.brought()
        if self._is_frozen(image, moment):
            error = LinesideError("source.frozen", url=self._called, seconds=f"{self._way.frozen_after:g}")
            self.become(SourceState.FROZEN, error)
            intake.skip("frozen")
            return
        self.become(SourceState.RUNNING)
        if self._way.fps and moment - self._offered_at < 0.98 / self._way.fps:
            intake.skip("thinned")
            return
        self._offered_at = moment
        now = time.time()
        name = f"{self.name}/{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S.%f}"
        intake.offer(Frame(self.name, name, picture_of(image), now, moment))

    def _is_frozen(self, image: VideoFrame, moment: float) -> bool:
        if not self._way.frozen_after:
            return False
        now = trace(image)
        if now != self._trace:
            self._trace, self._moved_at = now, moment
        return moment - self._moved_at >= self._way.frozen_after
