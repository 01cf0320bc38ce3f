"""Who may join and call, and what is believed."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "join.ca_mismatch",
        Kind.FORBIDDEN,
        "The control plane at {url} shows a CA with SHA-256 {actual}, not {expected}.",
        "Compare --ca-sha256 with what `lineside up` printed; do not join if it differs.",
    ),
    Problem(
        "join.already_joined",
        Kind.CONFLICT,
        "The root {root} already belongs to device {device}.",
        "Join again with --force, or choose another: --root DIR",
    ),
    Problem(
        "join.bad_name",
        Kind.REFUSED,
        "{name} cannot be the name of a device.",
        "Use letters, digits, '_', '.' and '-', at most 63: --name NAME",
    ),
    Problem(
        "trust.rollback",
        Kind.CORRUPT,
        "Signed metadata is older than what this device has already seen: {why}.",
        "Restore the control plane's newest metadata; what runs keeps running.",
    ),
    Problem(
        "trust.expired",
        Kind.CORRUPT,
        "Signed metadata has expired: {why}.",
        "Sign new metadata on the control plane; check the device's clock.",
    ),
    Problem(
        "trust.signature",
        Kind.CORRUPT,
        "Metadata is not signed by enough trusted keys: {why}.",
        "Sign it with the right key on the control plane.",
    ),
    Problem(
        "trust.metadata",
        Kind.CORRUPT,
        "Signed metadata is missing or wrong: {why}.",
        "Check the control plane's TUF repository.",
    ),
    Problem(
        "trust.unknown_target",
        Kind.CORRUPT,
        "No trusted role has signed {target}.",
        "Release it first: lineside models approve NAME:VERSION",
    ),
    Problem(
        "trust.wrong_role",
        Kind.FORBIDDEN,
        "This device does not accept {target}: it is signed for twins only.",
        "Release it first: lineside models approve NAME:VERSION",
    ),
    Problem(
        "trust.recipe_mismatch",
        Kind.CORRUPT,
        "The recipe of {name} is not the one that was signed: {why}.",
        "Publish the component again; what runs keeps running.",
    ),
    Problem(
        "trust.key_damaged",
        Kind.INTERNAL,
        "The signing key {file} cannot be read: {why}.",
        "Restore the control plane's keys folder from a backup.",
    ),
    Problem(
        "trust.metadata_damaged",
        Kind.INTERNAL,
        "The control plane's signed metadata {file} is damaged: {why}.",
        "Restore the control plane's tuf folder from a backup; nothing new is signed until then.",
    ),
    Problem(
        "trust.target_exists",
        Kind.CONFLICT,
        "{path} is signed already, with other content.",
        "Give the component a new version.",
    ),
    Problem(
        "trust.no_role", Kind.REFUSED, "No role signs the path {path}.", "Use models/NAME, apps/NAME or staging/NAME."
    ),
    Problem(
        "join.token_unknown", Kind.FORBIDDEN, "No such join token was made here.", "Make one: lineside devices token"
    ),
    Problem(
        "join.token_expired",
        Kind.FORBIDDEN,
        "The join token expired at {expired}.",
        "Make a new one: lineside devices token",
    ),
    Problem(
        "join.token_used",
        Kind.FORBIDDEN,
        "The join token was good for so many devices: {uses}. They have joined.",
        "Make a new one: lineside devices token",
    ),
    Problem(
        "join.twin_mismatch",
        Kind.FORBIDDEN,
        "This join token is for {whom} only.",
        "Make another: lineside devices token [--twin]",
    ),
    Problem(
        "join.name_taken",
        Kind.CONFLICT,
        "Another device has joined as {name}.",
        "Choose another name: lineside agent join … --name NAME",
    ),
    Problem(
        "join.csr_invalid",
        Kind.REFUSED,
        "The certificate signing request is not valid: {why}.",
        "Join again: lineside agent join",
    ),
    Problem(
        "auth.token_missing",
        Kind.UNAUTHENTICATED,
        "This address needs a device's access token.",
        "POST /device/v1/token with a client assertion.",
    ),
    Problem(
        "auth.token_invalid",
        Kind.UNAUTHENTICATED,
        "The access token was not made here.",
        "POST /device/v1/token again.",
    ),
    Problem(
        "auth.token_expired", Kind.UNAUTHENTICATED, "The access token has expired.", "POST /device/v1/token again."
    ),
    Problem(
        "auth.assertion_invalid",
        Kind.UNAUTHENTICATED,
        "The client assertion is not valid: {why}.",
        "Join again: lineside agent join",
    ),
    Problem(
        "auth.assertion_expired",
        Kind.UNAUTHENTICATED,
        "The client assertion's times do not fit: here it is {now}, and it may be good for {limit} s, with {leeway} s for a wrong clock.",
        "Set the device's clock.",
    ),
    Problem(
        "auth.assertion_replayed",
        Kind.UNAUTHENTICATED,
        "A client assertion of {device} was used a second time.",
        "Sign a new one with a new jti.",
    ),
    Problem(
        "auth.device_revoked",
        Kind.FORBIDDEN,
        "The device {device} was revoked.",
        "Join under another name, with a new key: lineside agent join … --name NAME --force",
    ),
    Problem(
        "auth.forbidden",
        Kind.FORBIDDEN,
        "{who} may not do this: it needs the permission to {permission}.",
        "Ask an admin for a role that has it: lineside users roles NAME ROLE …",
    ),
    Problem(
        "auth.not_yours", Kind.FORBIDDEN, "This belongs to another device than {device}.", "Ask for what is your own."
    ),
    Problem(
        "access.key_damaged",
        Kind.INTERNAL,
        "The key file {file} cannot be used: {why}.",
        "Restore R/keys from a backup.",
    ),
)
