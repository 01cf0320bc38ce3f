"""Secrets at the control plane: kept sealed, given to devices whose components name them, and to nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lineside.contract.errors import LinesideError
from lineside.contract.sealing import unseal
from lineside.contract.secret import GivenSecrets, GivenVersion, about
from lineside.server.devices.store import DeviceRow
from lineside.server.testing_device import TestDevice, make_key
from tests.server.secrets.conftest import Plant, recipe

pytestmark = pytest.mark.both_databases

VALUE = b"hunter2-\xff-planted"


def opened(device: TestDevice, name: str, version: GivenVersion) -> bytes:
    def agree(point: bytes) -> bytes:
        return device.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))

    return unseal(version.box, about(name, version.id).encode(), device.key.public_key(), agree)


def given(device: TestDevice) -> dict[str, list[tuple[str, bytes]]]:
    """What a device is given: name to (label, value) of each version."""
    answer = device.get("/secrets")
    assert answer.status_code == 200
    secrets = msgspec.json.decode(answer.content, type=GivenSecrets).secrets
    return {one.name: [(v.stages[0], opened(device, one.name, v)) for v in one.versions] for one in secrets}


def test_a_device_is_given_what_its_components_name_and_nothing_else(plant: Plant) -> None:
    for name in ("db", "line1/camera", "line2/camera", "root"):
        plant.client.set_secret(name, f"value of {name}".encode())
    one, two = TestDevice.join(plant.lineside, "cell-1"), TestDevice.join(plant.lineside, "cell-2")
    plant.want("cell-1", recipe("a", ["db", "*"]), recipe("b", ["line1/*"]))
    plant.want("cell-2", recipe("c", ["*"]))
    assert given(one) == {
        "db": [("AWSCURRENT", b"value of db")],
        "line1/camera": [("AWSCURRENT", b"value of line1/camera")],
    }
    assert given(two) == {}
    details = plant.client.secret("db")
    assert [(one.device, one.named, one.version) for one in details.devices] == [
        ("cell-1", True, details.secret.versions[0].id)
    ]


def test_a_box_is_for_one_device_alone(plant: Plant) -> None:
    plant.client.set_secret("db", VALUE)
    one, two = TestDevice.join(plant.lineside, "cell-1"), TestDevice.join(plant.lineside, "cell-2")
    for device in (one, two):
        plant.want(device.name, recipe("a", ["db"]))
    (secret,) = msgspec.json.decode(one.get("/secrets").content, type=GivenSecrets).secrets
    assert opened(one, "db", secret.versions[0]) == VALUE
    with pytest.raises(ValueError, match="another key"):
        opened(two, "db", secret.versions[0])
    with pytest.raises(ValueError, match="as something else"):
        opened(one, "root", secret.versions[0])


def test_a_new_value_is_current_the_one_before_previous_and_older_ones_are_gone(plant: Plant) -> None:
    for value in (b"one", b"two", b"three"):
        plant.client.set_secret("db", value)
    device = TestDevice.join(plant.lineside, "cell-1")
    plant.want("cell-1", recipe("a", ["db"]))
    assert given(device) == {"db": [("AWSCURRENT", b"three"), ("AWSPREVIOUS", b"two")]}


def test_asking_again_costs_nothing_until_something_changed(plant: Plant) -> None:
    device = TestDevice.join(plant.lineside, "cell-1")
    first = device.get("/secrets")
    assert (first.status_code, msgspec.json.decode(first.content, type=GivenSecrets)) == (200, GivenSecrets())
    tag = first.headers["etag"]
    plant.client.set_secret("db", VALUE)
    assert device.get("/secrets", headers={"If-None-Match": tag}).status_code == 304  # nothing names it yet
    plant.want("cell-1", recipe("a", ["db"]))
    second = device.get("/secrets", headers={"If-None-Match": tag})
    assert second.status_code == 200
    tag = second.headers["etag"]
    assert device.get("/secrets", headers={"If-None-Match": tag}).status_code == 304
    plant.client.set_secret("db", b"new")
    changed = device.get("/secrets", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    plant.client.remove_secret("db")
    assert given(device) == {}
    plant.want("cell-1")
    assert given(device) == {}


def test_decisions_and_deliveries_are_in_the_trail_once_and_without_the_value(plant: Plant) -> None:
    device = TestDevice.join(plant.lineside, "cell-1")
    plant.want("cell-1", recipe("a", ["db"]))
    plant.client.set_secret("db", VALUE)
    given(device)
    given(device)
    plant.client.rotate_secrets_key()
    plant.client.remove_secret("db")
    decisions = [(actor, action) for actor, action, _ in plant.audited()]
    assert decisions == [
        ("tester", "secret.set"),
        ("cell-1", "secret.deliver"),
        ("tester", "secret.rotate_key"),
        ("tester", "secret.remove"),
    ]
    assert plant.client.verify_audit().good


def test_a_quarantined_device_is_given_nothing(plant: Plant) -> None:
    device = TestDevice.join(plant.lineside, "cell-1")
    plant.want("cell-1", recipe("a", ["db"]))
    plant.client.set_secret("db", VALUE)
    assert list(given(device)) == ["db"]
    plant.client.quarantine_device("cell-1")
    assert device.get("/secrets").status_code == 403


def test_a_device_with_another_key_is_given_its_secrets_for_that_one(plant: Plant) -> None:
    device = TestDevice.join(plant.lineside, "cell-1")
    plant.want("cell-1", recipe("a", ["db"]))
    plant.client.set_secret("db", VALUE)
    tag = device.get("/secrets").headers["etag"]
    device.key = make_key()
    with plant.lineside.core.database.write() as session:
        row = session.get(DeviceRow, "cell-1")
        assert row is not None
        public = device.key.public_key()
        row.key = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert device.get("/secrets", headers={"If-None-Match": tag}).status_code == 200
    assert given(device) == {"db": [("AWSCURRENT", VALUE)]}
    assert [action for _, action, _ in plant.audited()] == ["secret.set", "secret.deliver", "secret.deliver"]


def test_a_new_storage_key_leaves_values_and_devices_alone(plant: Plant) -> None:
    device = TestDevice.join(plant.lineside, "cell-1")
    plant.want("cell-1", recipe("a", ["db"]))
    plant.client.set_secret("db", b"one")
    plant.client.set_secret("db", b"two")
    path = plant.lineside.core.keys / "secrets.key"
    before = path.read_text()
    tag = device.get("/secrets").headers["etag"]
    assert plant.client.rotate_secrets_key().versions == 2
    assert not set(before.split()) & set(path.read_text().split())
    assert path.stat().st_mode & 0o777 == 0o600
    assert device.get("/secrets", headers={"If-None-Match": tag}).status_code == 304
    assert given(device) == {"db": [("AWSCURRENT", b"two"), ("AWSPREVIOUS", b"one")]}


def test_the_root_holds_no_value_in_clear_and_without_its_key_none_at_all(plant: Plant) -> None:
    plant.client.set_secret("db", VALUE)
    device = TestDevice.join(plant.lineside, "cell-1")
    plant.want("cell-1", recipe("a", ["db"]))
    given(device)
    for path in plant.lineside.core.root.rglob("*"):
        assert not path.is_file() or VALUE not in path.read_bytes()
    (plant.lineside.core.keys / "secrets.key").unlink()
    answer = device.get("/secrets")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "secret.key_lost")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("a b", b"x", "secret.bad_name"),
        ("", b"x", "secret.bad_name"),
        ("*", b"x", "secret.bad_name"),
        ("db", b"", "secret.bad_value"),
        ("db", b"x" * 65_537, "secret.bad_value"),
    ],
    ids=["space", "nothing", "star", "empty", "large"],
)
def test_what_cannot_be_kept_is_refused(plant: Plant, name: str, value: bytes, code: str) -> None:
    with pytest.raises(LinesideError) as refused:
        plant.client.set_secret(name, value)
    assert refused.value.code == code
    assert plant.client.secrets() == []


def test_a_secret_that_is_not_there_is_said_to_be_unknown(plant: Plant) -> None:
    for ask in (plant.client.secret, plant.client.remove_secret):
        with pytest.raises(LinesideError, match="There is no secret db"):
            ask("db")


def test_values_that_are_set_while_the_storage_key_changes_can_be_read(plant: Plant) -> None:
    device = TestDevice.join(plant.lineside, "cell-1")
    names = [f"s{number}" for number in range(12)]
    plant.want("cell-1", recipe("a", names))
    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(plant.client.set_secret, name, name.encode()) for name in names]
        made += [pool.submit(plant.client.rotate_secrets_key) for _ in range(4)]
    assert all(one.exception() is None for one in made)
    assert {name: found[0][1] for name, found in given(device).items()} == {name: name.encode() for name in names}
