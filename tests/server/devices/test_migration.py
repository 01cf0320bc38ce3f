"""Devices that joined before devices had states: what their certificates say is read when the tables change."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import text

from lineside.server.access.ca import open_ca, serial_of
from lineside.server.database import Database
from lineside.server.database.migrating import upgrade
from lineside.server.database.schema import bring_up
from lineside.server.devices.store import may_connect
from lineside.server.testing_device import make_csr, make_key


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'lineside.db'}")


def test_a_device_from_before_keeps_its_place(database: Database, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ca, key = open_ca(tmp_path, now), make_key()
    pem = ca.sign_request(make_csr(key, "cam-1"), "cam-1", now).certificate
    with database.engine.connect() as connection:
        upgrade(connection, "0007")
        for name, state in (("cam-1", "accepted"), ("cam-2", "revoked")):
            certificate = pem if name == "cam-1" else ca.sign_request(make_csr(key, name), name, now).certificate
            connection.execute(
                text(
                    "INSERT INTO devices (name, state, twin, key, certificate, token, facts, joined_at, sequence) "
                    "VALUES (:name, :state, 0, 'k', :certificate, 't', '{}', '2026-01-01T00:00:00.000Z', 4)"
                ),
                {"name": name, "state": state, "certificate": certificate},
            )
        connection.commit()
    bring_up(database)
    found = x509.load_pem_x509_certificate(pem.encode())
    der = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with database.read() as session:
        rows = session.execute(text("SELECT name, state, fingerprint FROM devices ORDER BY name")).all()
        assert may_connect(session, "cam-1", serial_of(found))
        states = session.execute(text("SELECT device, state FROM certificates ORDER BY device")).all()
    assert rows[0] == ("cam-1", "accepted", hashlib.sha256(der).hexdigest())
    assert rows[1][:2] == ("cam-2", "revoked")  # it shared cam-1's key, which one device has now
    assert rows[1][2] != rows[0][2]
    assert states == [("cam-1", "good"), ("cam-2", "revoked")]
    database.close()
