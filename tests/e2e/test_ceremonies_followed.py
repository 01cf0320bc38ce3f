"""A joined device follows every ceremony: its agent's verifier, in its own process, over the devices' API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lineside.agent.attention import Attention
from lineside.agent.paths import Paths
from lineside.agent.updating.trust import Trust
from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import ErrorReport, LinesideError, RemoteError
from lineside.contract.ids import digest_of
from lineside.server.app import ROOMS
from lineside.server.testing import FakeClock, Running, running
from lineside.server.testing_device import TestDevice
from tests.server.trust.hands import Hand, House

RECIPE = b'{"ComponentName":"tags.model"}'


class Joined:
    """A device that has joined, as far as trust goes."""

    def __init__(self, plane: Running, folder: Path) -> None:
        self._device = TestDevice.join(plane, "cam-1")
        paths = Paths(folder)
        paths.trusted_root.parent.mkdir(parents=True)
        paths.trusted_root.write_text(self._device.joined.tuf_root)
        self.trust = Trust(self, paths, Attention(), twin=False)

    def metadata(self, url: str) -> Iterator[bytes]:
        answer = self._device.get(f"/{url}")
        if answer.status_code >= 400:
            raise RemoteError(ErrorReport(code="request.not_found", message=url), answer.status_code)
        yield answer.content

    def believes(self, version: int) -> bool:
        """Whether it would install this version."""
        target = f"models/tags.model-{version}.0.0.json"
        wanted = DesiredComponent(
            name="tags.model", version=f"{version}.0.0", recipe_digest=digest_of(RECIPE), target=target
        )
        self.trust.refresh()
        try:
            return self.trust.check(wanted) == digest_of(RECIPE)
        except LinesideError as error:
            assert error.code == "trust.unknown_target", error  # noqa: PT017 anything else is no answer
            return False


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root", FakeClock(datetime.now(UTC)), ROOMS) as up:
        yield up


def test_a_joined_device_follows_every_ceremony(plane: Running, tmp_path: Path) -> None:
    house, device = House(plane.core), Joined(plane, tmp_path / "device")
    anna, ben, carl, bea = Hand("anna"), Hand("ben"), Hand("carl", ecdsa=True), Hand("bea")
    roots, targets = [Hand(f"root-{number}") for number in range(4)], Hand("targets")
    released = 0

    def release(*approvers: Hand) -> None:
        nonlocal released
        released += 1
        path = f"models/tags.model-{released}.0.0.json"
        waiting = house.sign(house.approve(path, RECIPE), *approvers)
        assert waiting.state.value == "published"
        assert all(device.believes(version) for version in range(1, released + 1))
        assert not device.believes(released + 1)

    def published(*hands: Hand, **change: object) -> None:
        assert house.sign(house.propose(**change), *hands).state.value == "published"

    release()
    hands = {"root": roots[:3], "targets": [targets], "approvers": [anna, ben], "builders": [bea]}
    assert house.take_over(hands, root=2, approvers=2).state.value == "published"
    release(anna, ben)
    fourth = {"public": roots[3].public, "name": "root-3", "key": "root-0"}
    published(roots[0], roots[1], roots[3], kind="key.rotate", role="root", **fourth)
    release(anna, ben)
    published(targets, kind="key.add", role="approvers", public=carl.public, name="carl")
    release(anna, carl)
    published(targets, anna, carl, kind="key.remove", role="approvers", key="ben")
    release(carl, anna)
    published(targets, kind="threshold", role="approvers", threshold=1)
    release(carl)
    published(roots[2], roots[3], kind="key.rotate", role="timestamp")
    published(targets, kind="key.rotate", role="staging")
    release(anna)
    device.trust.close()
