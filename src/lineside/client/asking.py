"""Asking a device and reading its answer part by part, until it is whole, or nobody wants more, or it falls silent."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator

from lineside.client.client import Client
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.inquiry import InquiryAnswer, InquiryPart, InquiryRequest

EVERY = 0.3
"""Seconds between two questions for the next parts."""


def ask(client: Client, device: str, request: InquiryRequest) -> Generator[InquiryPart, None, None]:
    """The parts of a device's answer as they come. Closing the generator, or leaving it by Ctrl-C, ends the inquiry.

    Raises what the device says went wrong, `inquiry.no_answer` when it says nothing in time, `inquiry.cut_off` when it
    falls silent before the end, and what `Client` raises.
    """
    inquiry = client.ask_device(device, request)
    after, finished = -1, False
    try:
        while True:
            answer = client.inquiry(device, inquiry.id, after=after)
            fresh = [part for part in answer.parts if part.number > after]
            for part in fresh:
                after = part.number
                yield part
                if part.error is not None:
                    raise RemoteError(part.error, 400)
            if answer.done or answer.expired:
                finished = True
                _check_whole(answer, after)
                return
            if not fresh:
                time.sleep(EVERY)
    finally:
        if not finished:
            with contextlib.suppress(LinesideError):
                client.end_inquiry(device, inquiry.id)


def _check_whole(answer: InquiryAnswer, after: int) -> None:
    if answer.expired:
        code = "inquiry.no_answer" if after < 0 else "inquiry.cut_off"
        raise LinesideError(code, device=answer.device, seconds=answer.request.ttl_seconds)
