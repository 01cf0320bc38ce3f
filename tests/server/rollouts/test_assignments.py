"""Assignments: what each device follows in its groups, and the document that comes of it."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.server.components.service import Components
from lineside.server.components.testing import KnownModels, release_app
from lineside.server.deployments.service import Deployments
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.service import Devices
from lineside.server.devices.store import DesiredContentRow, DeviceRow, GroupRow
from lineside.server.rollouts import conflicts
from lineside.server.rollouts.assignments import Assignments
from lineside.server.rollouts.service import Rollouts
from lineside.server.rollouts.testing import Fleet
from lineside.server.services import Core


class Desk:
    """Components that a test names, deployments of them, and devices in groups."""

    def __init__(self, core: Core) -> None:
        self.core, self.fleet = core, Fleet(core)
        self.components = Components(core)
        rollouts = Rollouts(core, DesiredDocuments(core), self.components)
        self.deployments = Deployments(core, self.components, KnownModels(), rollouts)
        self.assignments = Assignments(core, self.components)

    def release(self, name: str, version: str, *platforms: str) -> None:
        release_app(self.components, self.core.database, name, version, *platforms)

    def deploy(self, group: str, **components: str) -> int:
        """The number of a new deployment."""
        document = DeploymentDocument(
            group_name=group,
            components={name: ComponentSpec(component_version=version) for name, version in components.items()},
        )
        with self.core.database.write() as session:
            return int(self.deployments.create(session, document).id.removeprefix("deployment-"))

    def assign(self, devices: list[str], group: str, deployment: int | None, **more: bool) -> int:
        with self.core.database.write() as session:
            return self.assignments.assign_many(session, devices, group, deployment, **more)

    def runs(self, device: str) -> dict[str, str]:
        return {one.name: one.version for one in self.fleet.desired(device).components}

    def conflict(self, device: str) -> str | None:
        with self.core.database.read() as session:
            found = conflicts.of(session, [device]).get(device)
        return None if found is None else found.message

    def events(self, kind: str) -> list[str]:
        with self.core.database.read() as session:
            page = self.core.events.page(session, before=None, kind=kind, limit=100)
        return [event.message for event in reversed(page.events)]


@pytest.fixture
def desk(core: Core) -> Desk:
    made = Desk(core)
    for version in ("1.0.0", "1.5.0", "2.0.0"):
        made.release("a", version)
    made.release("b", "1.0.0")
    made.fleet.join("one", "two", "three")
    return made


def join(desk: Desk, device: str, group: str) -> None:
    with desk.core.database.write() as session:
        session.add(GroupRow(device=device, group=group))


def test_devices_of_one_group_get_one_content(desk):
    number = desk.deploy("line", a="^1.0.0")
    assert desk.assign(["one", "two", "three"], "line", number) == 3
    assert [desk.runs(name) for name in ("one", "two", "three")] == [{"a": "1.5.0"}] * 3
    with desk.core.database.read() as session:
        assert session.scalar(select(func.count()).select_from(DesiredContentRow)) == 1
    assert desk.fleet.desired("one").deployment == f"deployment-{number}"


def test_telling_them_again_changes_nothing_unless_it_is_to_be_tried_again(desk):
    number = desk.deploy("line", a="1.0.0")
    desk.assign(["one"], "line", number)
    assert desk.assign(["one"], "line", number) == 0
    assert desk.assign(["one", "two"], "line", number, again=True) == 2
    assert [desk.fleet.desired(name).revision for name in ("one", "two")] == [2, 1]


def test_nothing_to_follow_is_nothing_to_run(desk):
    desk.assign(["one"], "line", desk.deploy("line", a="1.0.0"))
    assert desk.assign(["one"], "line", None) == 1
    assert desk.runs("one") == {}
    assert desk.fleet.desired("one").revision == 2


def test_a_device_in_two_groups_gets_the_union_and_the_others_do_not(desk):
    desk.assign(["one", "two"], "line", desk.deploy("line", a=">=1.0.0 <2.0.0"))
    join(desk, "two", "cell")
    number = desk.deploy("cell", a="<=1.5.0", b="1.0.0")
    assert desk.assign(["two"], "cell", number) == 1
    assert (desk.runs("one"), desk.runs("two")) == ({"a": "1.5.0"}, {"a": "1.5.0", "b": "1.0.0"})


def test_a_late_conflict_keeps_the_document_and_is_told_once(desk):
    line = desk.deploy("line", a="^1.0.0")
    with desk.core.database.write() as session:
        session.add(GroupRow(device="three", group="cell"))
        session.query(GroupRow).filter_by(device="three", group="line").delete()
    cell = desk.deploy("cell", a="^2.0.0")
    desk.assign(["one", "two"], "line", line)
    before = desk.fleet.desired("one")
    join(desk, "one", "cell")
    for _ in range(2):
        assert desk.assign(["one", "three"], "cell", cell) in (0, 1)
    assert desk.fleet.desired("one") == before
    assert desk.runs("three") == {"a": "2.0.0"}
    assert "The groups line and cell want what does not go together" in (desk.conflict("one") or "")
    assert (desk.conflict("two"), desk.conflict("three")) == (None, None)
    assert len(desk.events("deployment.conflict")) == 1
    devices = Devices(desk.core)
    devices.conflicts = conflicts
    shown = devices.get("one").conflict
    assert shown is not None
    assert (shown.code, devices.get("two").conflict) == ("deployment.conflict", None)
    assert desk.assign(["one"], "line", None) == 1  # it left the line
    assert (desk.runs("one"), desk.conflict("one")) == ({"a": "2.0.0"}, None)


def test_a_device_for_whose_platform_there_is_no_manifest_keeps_what_it_has(desk):
    desk.release("c", "1.0.0", "amd64")
    number = desk.deploy("line", c="1.0.0")
    with desk.core.database.write() as session:
        session.execute(update(DeviceRow).where(DeviceRow.name == "one").values(os="linux", architecture="amd64"))
        session.execute(update(DeviceRow).where(DeviceRow.name == "two").values(os="linux", architecture="aarch64"))
    assert desk.assign(["one", "two", "three"], "line", number) == 2
    assert [desk.runs(name) for name in ("one", "two", "three")] == [{"c": "1.0.0"}, {}, {"c": "1.0.0"}]
    assert "c 1.0.0 has no manifest for linux aarch64" in (desk.conflict("two") or "")


def test_the_newest_supersedes_at_once_whatever_the_device_is_doing(desk):
    for revision, version in enumerate(("1.0.0", "2.0.0", "1.5.0"), start=1):
        desk.assign(["one"], "line", desk.deploy("line", a=version))
        assert (desk.runs("one"), desk.fleet.desired("one").revision) == ({"a": version}, revision)
