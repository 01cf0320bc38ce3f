"""Which model files there are: results by files that nobody registered are kept, and never counted."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lineside.server.models.store import ModelRow


class KnownFiles:
    """The classes of every registered model file. Remembered: models are only ever added."""

    def __init__(self) -> None:
        self._labels: dict[str, frozenset[str]] = {}
        self._newest = 0

    def labels(self, session: Session, digests: Collection[str]) -> dict[str, frozenset[str]]:
        """The classes of these files, as far as they are known."""
        if not self._labels.keys() >= set(digests):
            self._learn(session)
        return {digest: self._labels[digest] for digest in digests if digest in self._labels}

    def _learn(self, session: Session) -> None:
        newest = session.scalar(select(func.max(ModelRow.number))) or 0
        if newest == self._newest:
            return
        found: dict[str, frozenset[str]] = {}
        for registered in session.scalars(select(ModelRow.registered)):
            labels = frozenset(registered.signature.labels)
            found[registered.digest] = found.get(registered.digest, frozenset()) | labels
        self._labels, self._newest = found, newest
