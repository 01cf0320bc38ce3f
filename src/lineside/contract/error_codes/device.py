"""What can be wrong with a device itself: named conditions, which hold until they pass."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "device.clock_wrong",
        Kind.UNAVAILABLE,
        "The device's clock says {now}, which cannot be: {why}.",
        "Set the clock (timedatectl set-ntp true) or its battery; the agent goes on with the control plane's time.",
    ),
    Problem(
        "device.disk_full",
        Kind.UNAVAILABLE,
        "There is no space left below {root}: {why}.",
        "Free some space on the device; the agent goes on by itself.",
    ),
    Problem(
        "device.disk_read_only",
        Kind.UNAVAILABLE,
        "The disk below {root} cannot be written: {why}.",
        "Look at dmesg and check the file system (fsck), then mount it writable; what runs keeps running.",
    ),
    Problem(
        "device.disk_error",
        Kind.UNAVAILABLE,
        "The disk below {root} fails: {why}.",
        "Look at dmesg and smartctl; replace the disk or card before it dies. What runs keeps running.",
    ),
    Problem(
        "device.memory_low",
        Kind.UNAVAILABLE,
        "{available_mb} MB of memory are left of {total_mb}.",
        "See which component grew: lineside agent status; give it a limit in the deployment's runWith.",
    ),
    Problem(
        "device.too_hot",
        Kind.UNAVAILABLE,
        "{sensor} is at {celsius} °C.",
        "Look at the device's fan, its dust and where it stands.",
    ),
    Problem(
        "device.certificate_expires",
        Kind.UNAVAILABLE,
        "The device's certificate ends at {at}.",
        "It is renewed by itself once the device reaches its control plane; see the conditions that stop it.",
    ),
    Problem(
        "device.key_unusable",
        Kind.UNAVAILABLE,
        "The file {path} cannot be used: {why}.",
        "Check the file and who may read it; if it is lost, join again with --force.",
    ),
    Problem(
        "device.certificate_not_renewed",
        Kind.UNAVAILABLE,
        "The device's certificate ends at {at} and could not be renewed: {why}.",
        "Look at the control plane's events about this device; the agent tries again by itself.",
    ),
    Problem(
        "device.quarantined",
        Kind.FORBIDDEN,
        "The device {device} is quarantined: what runs keeps running, nothing new installs.",
        "Find out why on the device's page, then: lineside devices accept {device} --fingerprint F",
    ),
    Problem(
        "device.fingerprint_mismatch",
        Kind.CONFLICT,
        "The key of {device} has the fingerprint {actual}, not {given}.",
        "Compare both with what the device says: lineside agent fingerprint",
    ),
)
