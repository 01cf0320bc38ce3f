"""Whether bytes of captures may be sent now, and that they were."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lineside.agent.clock import Clock
from lineside.agent.link.upload_ledger import UploadLedger
from lineside.agent.link.upload_rules import UploadRules, default_link, is_metered, local_time, read_rules, why_not


class Spent(Protocol):
    """Bytes to send: `size` of them, of which `sent` were taken."""

    sent: int

    @property
    def size(self) -> int:
        """Bytes."""
        ...


S = TypeVar("S", bound=Spent)


class UploadBudget(Protocol):
    """What `uploads` asks."""

    def why_not(self, size: int) -> str:
        """Why so many bytes must not be sent now; empty when they may."""
        ...

    def spending(self, content: S) -> AbstractContextManager[S]:
        """Counts what is sent of a content inside."""
        ...


class NoBudget:
    """Everything may go at once."""

    def why_not(self, size: int) -> str:
        """See `UploadBudget.why_not`."""
        return ""

    @contextmanager
    def spending(self, content: S) -> Iterator[S]:
        """See `UploadBudget.spending`."""
        yield content


class RuledBudget:
    """Holds to the rules in the agent's configuration, as they are now. Used by one thread."""

    def __init__(
        self,
        configuration: Callable[[], dict[str, Any] | None],
        file: Path,
        clock: Clock,
        link: Callable[[], str] = default_link,
    ) -> None:
        self._configuration, self._clock, self._link = configuration, clock, link
        self._ledger = UploadLedger(file, self._today)

    def why_not(self, size: int) -> str:
        """See `UploadBudget.why_not`."""
        try:
            rules = read_rules(self._configuration())
        except ValueError as error:
            return str(error)
        if rules == UploadRules():
            return ""
        return why_not(rules, size, self._ledger.used(), local_time(rules, self._clock.time()), self._link())

    @contextmanager
    def spending(self, content: S) -> Iterator[S]:
        """See `UploadBudget.spending`. All of it is written down before; what did not go is given back after."""
        try:
            rules = read_rules(self._configuration())
        except ValueError as error:  # it has changed just now
            raise OSError(str(error)) from error
        if not rules.counted:
            yield content
            return
        metered = rules.metered is not None and is_metered(rules.metered, self._link())
        self._ledger.reserve(content.size, metered=metered)
        try:
            yield content
        finally:
            self._ledger.give_back(content.size - content.sent, metered=metered)

    def _today(self) -> datetime.date:
        try:
            rules = read_rules(self._configuration())
        except ValueError:
            rules = UploadRules()
        return local_time(rules, self._clock.time()).date()
