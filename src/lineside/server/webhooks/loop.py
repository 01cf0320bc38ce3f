"""Makes messages of new events, and hands over those whose time has come: each receiver in a thread of its own, so that
one that hangs holds the others for one try at most."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta

from lineside.server.services import Core
from lineside.server.webhooks.sending import Answer
from lineside.server.webhooks.service import Webhooks

_THREADS = 16
_AT_ONCE = 100  # messages of one receiver in a round
_PATIENCE = 10.0  # seconds one receiver may take of a round
_TIDY = timedelta(minutes=1)  # between looks for what is old, for which all messages are read


class WebhooksLoop:
    """A kill between sending and noting it sends a message again: receivers know it by its id."""

    def __init__(self, core: Core, webhooks: Webhooks) -> None:
        self._core, self._webhooks = core, webhooks
        self._tidy_at = core.clock.now()

    def step(self) -> None:
        """One round."""
        with self._core.database.read() as session:
            behind = self._webhooks.behind(session)
        for number in behind:
            with self._core.database.write() as session:
                self._webhooks.take_in(session, number)
        with self._core.database.read() as session:
            due = self._webhooks.due(session, _AT_ONCE)
        if due:
            with ThreadPoolExecutor(min(_THREADS, len(due)), "webhook") as threads:
                rounds = [threads.submit(self._hand_over, messages) for messages in due.values()]
                for done in as_completed(rounds):  # written here: only this thread may, while it has the lease
                    self._note(done.result())
        if self._core.clock.now() >= self._tidy_at:
            self._tidy()

    def _tidy(self) -> None:
        self._tidy_at = self._core.clock.now() + _TIDY
        with self._core.database.read() as session:
            untidy = self._webhooks.needs_tidying(session)
        if untidy:
            with self._core.database.write() as session:
                self._webhooks.tidy(session)

    def _hand_over(self, messages: list[int]) -> list[tuple[int, Answer]]:
        """In their order, until one is not taken or the time is up."""
        end, answers = time.monotonic() + _PATIENCE, []
        for number in messages:
            answer = self._webhooks.send(number)
            if answer is not None:
                answers.append((number, answer))
                if not answer.taken:
                    break
            if time.monotonic() > end:
                break
        return answers

    def _note(self, answers: list[tuple[int, Answer]]) -> None:
        with self._core.database.write() as session:
            for number, answer in answers:
                self._webhooks.answered(session, number, answer)
