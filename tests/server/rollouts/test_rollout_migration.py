"""Rollouts that were stopped before their rows said by whom: their history does."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from lineside.server.database.schema import bring_up
from lineside.server.rollouts.store import newest_failed
from lineside.server.services import Core

pytestmark = pytest.mark.both_databases
WHY = {
    1: "a person stopped it (ann)",
    2: "the deadline of wave 1 passed, and the plan says stop: 1 unknown (offline) device, of 5 in wave 1",
}


def test_one_that_a_person_had_stopped_needs_nobody(new: Core) -> None:
    bring_up(new.database, "0031")
    at = "2026-01-01T00:00:00.000Z"
    with new.database.write() as session:
        for number, why in WHY.items():
            said = {"number": number, "group": f"line-{number}", "at": at, "why": why, "digest": f"sha256:{number}"}
            session.execute(
                text(
                    'INSERT INTO deployments (number, "group", name, components, failure_policy, digest, created_at, '
                    "staging) VALUES (:number, :group, '', '{}', 'ROLLBACK', :digest, :at, false)"
                ),
                said,
            )
            session.execute(
                text(
                    'INSERT INTO rollouts (number, "group", state, wave, waves, gates, created_at, revision) '
                    "VALUES (:number, :group, 'aborted', 0, 1, '[]', :at, 1)"
                ),
                said,
            )
            session.execute(
                text(
                    "INSERT INTO rollout_moves (rollout, at, current, wanted, why) "
                    "VALUES (:number, :at, 'running', 'aborted', :why)"
                ),
                said,
            )
    bring_up(new.database)
    with new.database.read() as session:
        assert [row.number for row in newest_failed(session, 10)] == [2]
