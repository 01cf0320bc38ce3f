"""What a device says of a document that runs well but is not what the control plane wants."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineside.agent.attention import Attention
from lineside.agent.database import Database
from lineside.agent.link.join_state import JoinState
from lineside.agent.local.alone import Alone
from lineside.agent.local.deployments import LocalDeployments
from lineside.agent.local.model import Bad, Entry, Overlay, Record, Trial
from lineside.agent.local.records import Records
from lineside.agent.local.sources import Sources
from lineside.agent.paths import Paths
from lineside.agent.updating.installed import ComponentSet, document_of
from lineside.agent.updating.state import State
from lineside.agent.updating.store import Store
from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError
from lineside.contract.reported import Phase
from tests.agent.local.test_overlay import document, item, local

DESIRED = msgspec.structs.replace(document(2), components=(item("line", "2.0.0"),))
RUNS = (item("line", "1.0.0"),)


class Held:
    """Local deployments of a device, and what they keep."""

    def __init__(self, root: Path, record: Record) -> None:
        paths = Paths(root)
        paths.database.parent.mkdir(parents=True, exist_ok=True)
        database = Database(paths.database, mend=True)
        self.state, self.records = State(database), Records(database)
        self.records.write(record)
        joined = JoinState(device="cell-1", url="memory", twin=False, ca_sha256="", joined_at="")
        sources = Sources(Alone("cell-1"))
        self.local = LocalDeployments(
            paths, joined, self.state, Store(paths.store), self.records, sources, Attention(), {}
        )

    def succeed(self, wanted: Desired) -> None:
        """The document has had its trial, which went well."""
        self.state.begin(ComponentSet(document=document_of(wanted), revision=wanted.revision))
        self.state.commit()
        assert self.local.ended(lambda document: None)


def test_what_ran_while_a_revision_could_not_be_fetched_never_counts_as_that_revision(tmp_path: Path) -> None:
    """A thread that asked what runs just before a local deployment ended speaks of it just after."""
    overlay = Overlay(components={"app": local("app", 2)})
    entry = Entry(id="one", kind="deploy", status="IN_PROGRESS", created_at=0.0, what="app")
    trial = Trial(id="one", overlay=overlay, names=("app",), base=RUNS)
    held = Held(tmp_path, Record(trial=trial, history=(entry,)))
    beside = held.local.wanted(DESIRED)
    assert beside is not None
    assert held.local.unmet(document_of(beside)) == (Phase.FETCHING, None)
    asked = held.local.instead_of(DESIRED)
    held.succeed(beside)
    assert held.local.unmet(document_of(asked)) == (Phase.FETCHING, None)
    assert held.local.instead_of(DESIRED) == DESIRED
    wanted = held.local.wanted(DESIRED)
    assert wanted is not None
    assert {one.name: one.version for one in wanted.components} == {"line": "2.0.0", "app": "9.0.0"}
    assert held.local.unmet(document_of(wanted)) is None


def test_how_a_local_deployment_fares_is_not_how_the_revision_fares(tmp_path: Path) -> None:
    overlay = Overlay(components={"app": local("app", 2)})
    trial = Trial(id="one", overlay=overlay, names=("app",))
    entry = Entry(id="one", kind="deploy", status="IN_PROGRESS", created_at=0.0, what="app")
    held = Held(tmp_path, Record(trial=trial, history=(entry,)))
    tried = held.local.wanted(DESIRED)
    assert tried is not None
    assert held.local.unmet(document_of(tried)) == (Phase.STARTING, None)
    held.succeed(tried)
    assert held.local.wanted(DESIRED) == tried
    assert held.local.unmet(document_of(tried)) is None  # from here on both are well or neither is


def test_a_bundle_made_for_the_device_brings_a_revision(tmp_path: Path) -> None:
    trial = Trial(id="one", overlay=Overlay(), names=(), desired=document_of(DESIRED))
    held = Held(tmp_path, Record(trial=trial))
    assert held.local.wanted(DESIRED) == DESIRED
    assert held.local.unmet(document_of(DESIRED)) is None


@pytest.mark.parametrize("later", [DESIRED, document(3, "line")], ids=["the same", "a later revision"])
def test_what_runs_again_after_a_revision_failed_never_counts_as_that_revision(tmp_path: Path, later: Desired) -> None:
    error = LinesideError("local.canceled", id="one").report()
    held = Held(tmp_path, Record(bad=Bad(desired=document_of(DESIRED), error=error, base=RUNS)))
    again = held.local.wanted(DESIRED)
    assert again is not None
    assert again.components == RUNS
    held.local.wanted(later)
    assert held.local.unmet(document_of(again)) == (Phase.ROLLED_BACK, error)
    assert held.local.unmet(document_of(DESIRED)) is None
    assert held.local.unmet(document_of(later)) is None
