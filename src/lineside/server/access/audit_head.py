"""R/audit.head: which row of the audit trail was written last, said outside of the database.

The chain of hashes alone cannot tell that rows were cut off its end, added to it, or that it was written anew from some
row on. This file can: it names the newest row that is known to be committed, under an HMAC with R/keys/audit.key. It is
written twice around a commit, so that a kill at any moment leaves one of two endings that are both known:

    {newest: 7, next: 8}  ─► commit of row 8 ─►  {newest: 8}

When the table ends otherwise, the file is left as it is: it is the evidence.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

import msgspec
import structlog

from lineside.contract.audit import FIRST, AuditFinding
from lineside.contract.ids import canonical
from lineside.contract.reading import UNREADABLE
from lineside.server.adapters.files import write_atomic

_log = structlog.get_logger("lineside.audit")


class Mark(msgspec.Struct, frozen=True):
    """A row by number and hash."""

    number: int
    hash: str


START = Mark(0, FIRST)
"""Before the first row."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says."""

    newest: Mark
    next: Mark | None = None
    mac: str = ""


class AuditHead:
    """The file. Its user sees to it that one thread at a time calls."""

    def __init__(self, root: Path) -> None:
        self._path, self._key_file = root / "audit.head", root / "keys" / "audit.key"

    def before(self, last: Mark, wanted: Mark) -> bool:
        """The table ends with `last`, and `wanted` is about to follow; False when the table should end otherwise."""
        if self._path.exists():
            head = self.read()
            if head is None or last not in (head.newest, head.next):
                _log.error("the audit trail does not end as it should", found=last.number, next="lineside audit verify")
                return False
        self._write(Head(newest=last, next=wanted))
        return True

    def after(self, newest: Mark) -> None:
        """`newest` is committed. Never fails: what `before` wrote covers it."""
        try:
            self._write(Head(newest=newest))
        except OSError as error:
            _log.warning("audit.head could not be written", why=error)

    @property
    def exists(self) -> bool:
        """Whether there is a file."""
        return self._path.exists()

    def read(self) -> Head | None:
        """What the file says; None when it is not what was written here."""
        try:
            head = msgspec.json.decode(self._path.read_bytes(), type=Head)
            return head if self.is_signed(head) else None
        except (OSError, *UNREADABLE):
            return None

    def signed(self, head: Head) -> Head:
        """The same with its HMAC."""
        return msgspec.structs.replace(head, mac=self._mac(head))

    def is_signed(self, head: Head) -> bool:
        """Whether somebody with this control plane's key said it."""
        return hmac.compare_digest(head.mac.encode(), self._mac(head).encode())

    def compare(self, last: Mark, known: str | None) -> AuditFinding | None:
        """What is wrong with a table that ends with `last`; `known` is the hash of its row that `self.read` calls
        newest, if that is there."""
        if not self.exists:
            what = "R/audit.head is not there: nothing says whether rows were removed from the end."
            return None if last == START else finding(last.number, last.number, what)
        head = self.read()
        if head is None:
            what = "R/audit.head is not what this control plane wrote: nothing vouches for the end."
            return finding(last.number, last.number, what)
        return None if last in (head.newest, head.next) else said(head, last, known)

    def _write(self, head: Head) -> None:
        write_atomic(self._path, msgspec.json.encode(self.signed(head)), mode=0o600)

    def _mac(self, head: Head) -> str:
        covered = canonical(msgspec.structs.replace(head, mac=""))
        return hmac.digest(self._key(), covered, "sha256").hex()

    def _key(self) -> bytes:
        if not self._key_file.exists():
            write_atomic(self._key_file, secrets.token_bytes(32), mode=0o600)
        return self._key_file.read_bytes()


def said(head: Head, last: Mark, known: str | None) -> AuditFinding:
    """What it means that a table ends with `last` and not as `head` says; `known` is its hash of head's newest row."""
    newest = head.newest.number
    if last.number < newest:
        rows = _rows(last.number + 1, newest)
        what = f"{rows} removed from the end, or others before and all after them written anew."
        return finding(last.number + 1, newest, what)
    if known != head.newest.hash:
        what = f"Row {newest} is not the one that was written: the trail was written anew up to it."
        return finding(1, newest, what)
    return finding(newest + 1, last.number, f"{_rows(newest + 1, last.number)} not written by this control plane.")


def finding(first: int, last: int, what: str) -> AuditFinding:
    """Something is wrong with these rows."""
    return AuditFinding(first=first, last=last, what=what)


def _rows(first: int, last: int) -> str:
    return f"Row {first} was" if first == last else f"Rows {first} to {last} were"
