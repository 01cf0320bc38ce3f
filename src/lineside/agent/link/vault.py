"""Key use in a short-lived process of its own: `python -m lineside.agent.link.vault`.

The resident agent imports no cryptography and never holds the device's key for signing: what needs them is asked of a
child, one JSON line in and one out, which then ends. (Its imports alone would be a fifth of the agent's memory.)

    {"do": "sign", "keys": [KEY], "claims": {…}}                ►  {"text": JWT}
    {"do": "certificate", "path": PATH}                         ►  {"not_after": seconds since the epoch, "subject": …}
    {"do": "unseal", "keys": [KEY, …], "boxes": [BOX]}          ►  {"plain": base64}

KEY is a PEM file or an object of a PKCS#11 token (`Reference`). Agents ask through `lineside.agent.keys`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from lineside.agent.keys.port import Box
from lineside.agent.link.error import LinkError
from lineside.contract.reading import UNREADABLE
from lineside.contract.sealing import Sealed

SECONDS = 30.0
"""How long a request may take."""


class Reference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a private key is: a PEM file, or the object with the CKA_ID `id` (hex) of the token that `uri` names."""

    path: str = ""
    uri: str = ""
    id: str = ""

    def __str__(self) -> str:
        return self.path or self.uri.partition("?")[0]


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the child is asked."""

    do: str
    keys: tuple[Reference, ...] = ()
    path: str = ""
    name: str = ""
    claims: dict[str, Any] = {}
    plain: bytes = b""
    boxes: tuple[Box, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the child says; `error` when it could not."""

    error: str = ""
    text: str = ""
    plain: bytes = b""
    boxes: tuple[Sealed, ...] = ()
    not_before: float = 0.0
    not_after: float = 0.0


def make(key: Reference) -> str:
    """Make a P-256 key: in its token, or as PEM for the caller to write where it belongs."""
    return _ask(Request(do="make", keys=(key,))).text


def find(key: Reference) -> str:
    """The CKA_ID (hex) of the private key that the URI of `key` names in its token; "" when there is none."""
    return _ask(Request(do="find", keys=(key,))).text


def destroy(key: Reference) -> None:
    """Destroy a token's key, if it is there."""
    _ask(Request(do="destroy", keys=(key,)))


def public(key: Reference) -> str:
    """Its public half, PEM."""
    return _ask(Request(do="public", keys=(key,))).text


def request(key: Reference, common_name: str) -> str:
    """A certificate signing request, PEM."""
    return _ask(Request(do="request", keys=(key,), name=common_name)).text


def sign(key: Reference, claims: dict[str, Any]) -> str:
    """A JWT over claims (ES256)."""
    return _ask(Request(do="sign", keys=(key,), claims=claims)).text


def seal(key: Reference, plain: bytes, about: str) -> Sealed:
    """A box for a key's holder."""
    return _ask(Request(do="seal", keys=(key,), plain=plain, name=about)).boxes[0]


def unseal(keys: Sequence[Reference], sealed: Sealed, about: str) -> bytes:
    """What is in a box for one of these keys."""
    return _ask(Request(do="unseal", keys=tuple(keys), boxes=(Box(sealed=sealed, about=about),))).plain


def reseal(keys: Sequence[Reference], boxes: Sequence[Box]) -> list[Sealed]:
    """Boxes for any of these keys as boxes for the first of them."""
    return list(_ask(Request(do="reseal", keys=tuple(keys), boxes=tuple(boxes))).boxes)


def certificate_life(path: Path) -> tuple[float, float]:
    """When a certificate begins and ends, in seconds since the epoch. Raises `device.key_unusable`."""
    answer = _ask(Request(do="certificate", path=str(path)))
    return answer.not_before, answer.not_after


def _ask(request: Request) -> Answer:
    """Raises `device.key_unusable`."""
    command = [sys.executable, "-m", "lineside.agent.link.vault"]
    try:
        done = subprocess.run(
            command, input=msgspec.json.encode(request), capture_output=True, timeout=SECONDS, check=False
        )
        if done.returncode == 0:
            answer = msgspec.json.decode(done.stdout, type=Answer)
        else:
            answer = Answer(error=_last_line(done.stderr.decode(errors="replace")))
    except (OSError, subprocess.TimeoutExpired, *UNREADABLE) as error:
        answer = Answer(error=str(error))
    if answer.error:
        what = request.path or (str(request.keys[0]) if request.keys else "key")
        raise LinkError("device.key_unusable", path=what, why=answer.error)
    return answer


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it ended without a word"])[-1]


def main() -> int:
    """Answer one request."""
    from lineside.agent.keys import acts
    from lineside.contract.errors import LinesideError

    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    try:
        answer = acts.ACTS[asked.do](asked)
    except (OSError, ValueError, TypeError) as error:
        answer = Answer(error=f"{error}" or type(error).__name__)
    except LinesideError as error:
        answer = Answer(error=error.message)
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
