"""The audit trail: every decision is a row, and each row names the one before it by its hash."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineside.contract.ids import content_digest

FIRST = "sha256:" + "0" * 64
"""What the first row names as the row before it."""

MOST_FINDINGS = 100
"""Findings that a verdict names; all are counted."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. `hash` covers every other field, `previous` among them (see `entry_hash`)."""

    number: int  # 1, 2, 3, … without a gap
    at: str
    actor: str  # who: a person, a device, the worker, the control plane itself
    by: str  # how we know: session, token, local, worker, device, system
    source: str  # from where: the caller's address
    action: str  # what: noun.verb, as in `model.approve`
    subject: str  # about what
    digest: str | None  # the digest it was about
    why: str
    previous: str
    hash: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows newest first, and how many there are of that kind in all."""

    entries: tuple[AuditEntry, ...]
    total: int


class AuditFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with the trail: the rows `first` to `last` were edited, removed, inserted or moved."""

    first: int
    last: int
    what: str  # one sentence


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the trail found. `newest` and `hash` name its last row: elsewhere they prove it all."""

    entries: int
    newest: int  # 0: no row
    hash: str
    found: int  # findings in all; 0: nothing was edited, removed, inserted or reordered
    findings: tuple[AuditFinding, ...] = ()  # the first `MOST_FINDINGS`
    trusted: int = 0  # the row before the first one looked at, taken on trust; 0: looked at from the beginning
    ending: bool = False  # whether its end was compared with what the control plane knows it wrote last

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return self.found == 0


def entry_hash(entry: AuditEntry) -> str:
    """What `hash` must be: the content digest of the entry with an empty `hash`."""
    return content_digest(msgspec.to_builtins(msgspec.structs.replace(entry, hash="")))


class Chain:
    """Follows a trail row by row, as the rows stand, and keeps what is wrong with it. Needs the same little memory
    however long the trail is."""

    def __init__(self) -> None:
        self.entries, self.newest, self.hash = 0, 0, FIRST
        self.found = 0
        self.findings: list[AuditFinding] = []
        self._begun_after = 0

    def trust(self, entry: AuditEntry) -> None:
        """Begin in the middle, at a row whose `previous` nobody here can check."""
        self.newest, self.hash = entry.number - 1, entry.previous
        self._begun_after = self.newest

    def follow(self, entry: AuditEntry) -> None:
        """The next row."""
        self.entries += 1
        for finding in self._wrong(entry):
            self.add(finding)
        self.newest, self.hash = max(entry.number, self.newest), entry.hash

    def unreadable(self, number: int) -> None:
        """The next row is there, and its content is none."""
        self.entries += 1
        self.add(AuditFinding(first=number, last=number, what=f"Row {number} cannot be read: it was edited."))
        self.newest, self.hash = max(number, self.newest), ""

    def add(self, finding: AuditFinding) -> None:
        """Something else that is wrong."""
        self.found += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    def verdict(self, *, ending: bool = False) -> AuditVerdict:
        """What was found so far."""
        return AuditVerdict(
            entries=self.entries,
            newest=self.newest,
            hash=self.hash,
            found=self.found,
            findings=tuple(self.findings),
            trusted=self._begun_after,
            ending=ending,
        )

    def _wrong(self, entry: AuditEntry) -> Iterator[AuditFinding]:
        number, expected = entry.number, self.newest + 1
        if entry_hash(entry) != entry.hash:
            yield AuditFinding(first=number, last=number, what=f"Row {number} was edited: its hash does not fit it.")
        if number > expected:
            yield _removed(expected, number - 1)
        elif number < expected:
            what = f"Row {number} stands after row {self.newest}: it was inserted or moved."
            yield AuditFinding(first=number, last=number, what=what)
        elif self.hash and entry.previous != self.hash:
            what = f"Row {number} does not follow row {number - 1}: one of the two was replaced."
            yield AuditFinding(first=max(number - 1, 1), last=number, what=what)


def _removed(first: int, last: int) -> AuditFinding:
    rows = f"Row {first} is" if first == last else f"Rows {first} to {last} are"
    return AuditFinding(first=first, last=last, what=f"{rows} not there: removed or moved.")
