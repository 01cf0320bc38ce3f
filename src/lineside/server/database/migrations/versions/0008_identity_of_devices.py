"""States, keys and certificates of devices. The certificates of devices that have joined are read, once."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("fingerprint", sa.String(length=64), server_default="", nullable=False))
    op.add_column("devices", sa.Column("next_key", sa.String(), nullable=True))
    op.add_column("devices", sa.Column("next_certificate", sa.String(), nullable=True))
    op.add_column("devices", sa.Column("next_fingerprint", sa.String(length=64), nullable=True))
    op.add_column("devices", sa.Column("counted", sa.Text(), nullable=True))
    op.add_column("devices", sa.Column("asked_from", sa.String(length=256), server_default="", nullable=False))
    op.add_column("devices", sa.Column("state_at", sa.String(length=32), nullable=True))
    op.add_column("devices", sa.Column("state_why", sa.String(), server_default="", nullable=False))
    op.add_column("results", sa.Column("quarantined", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "certificates",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("ends_at", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.name"], name=op.f("fk_certificates_device")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_certificates")),
    )
    op.create_index("ix_certificates_device", "certificates", ["device"])
    op.create_index("ix_certificates_fingerprint", "certificates", ["fingerprint"])
    op.create_table(
        "preauthorised",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("group", sa.String(length=63), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_preauthorised")),
    )
    _read_certificates()
    op.create_index("uq_devices_fingerprint", "devices", ["fingerprint"], unique=True)


def _read_certificates() -> None:
    connection = op.get_bind()
    devices = connection.execute(sa.text("SELECT name, certificate, state, joined_at, revoked_at FROM devices")).all()
    seen: set[str] = set()
    for name, pem, state, joined_at, revoked_at in devices:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        der = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        fingerprint = hashlib.sha256(der).hexdigest()
        if fingerprint in seen:  # an earlier version let two names share a key: the second must join anew
            fingerprint, state = hashlib.sha256(name.encode()).hexdigest(), "revoked"
            connection.execute(sa.text("UPDATE devices SET state = 'revoked' WHERE name = :name"), {"name": name})
        seen.add(fingerprint)
        connection.execute(
            sa.text("UPDATE devices SET fingerprint = :fingerprint, state_at = :at WHERE name = :name"),
            {"fingerprint": fingerprint, "at": revoked_at or joined_at, "name": name},
        )
        connection.execute(
            sa.text(
                "INSERT INTO certificates (serial, device, fingerprint, purpose, ends_at, state, state_at) "
                "VALUES (:serial, :device, :fingerprint, 'device', :ends, :state, :at)"
            ),
            {
                "serial": f"{certificate.serial_number:x}",
                "device": name,
                "fingerprint": fingerprint,
                "ends": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "state": "good" if state == "accepted" else "revoked",
                "at": revoked_at or joined_at,
            },
        )


def downgrade() -> None:
    op.drop_index("uq_devices_fingerprint", "devices")
    op.drop_table("preauthorised")
    op.drop_table("certificates")
    op.drop_column("results", "quarantined")
    for column in (
        "state_why",
        "state_at",
        "asked_from",
        "counted",
        "next_fingerprint",
        "next_certificate",
        "next_key",
        "fingerprint",
    ):
        op.drop_column("devices", column)
