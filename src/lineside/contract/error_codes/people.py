"""Signing in, and what admins do about people."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "login.refused",
        Kind.UNAUTHENTICATED,
        "The name and the password do not fit together.",
        "Try again; an admin can make a new way in: lineside users link NAME",
    ),
    Problem(
        "login.too_often",
        Kind.TOO_MANY,
        "There were too many attempts; the next one counts in {seconds} s.",
        "Wait {seconds} s; an admin can make a new way in: lineside users link NAME",
    ),
    Problem("login.busy", Kind.UNAVAILABLE, "Too many people sign in at this moment.", "Try again in a few seconds."),
    Problem(
        "login.link_unknown",
        Kind.FORBIDDEN,
        "This link was used, has expired, was replaced by a newer one, or was never made.",
        "Ask an admin for another: lineside users link NAME",
    ),
    Problem(
        "login.bad_address",
        Kind.REFUSED,
        "{url} is no address of a control plane.",
        "Name one: lineside login https://HOST:PORT",
    ),
    Problem("login.none_kept", Kind.MISSING, "No login at {url} is kept here.", "Sign in: lineside login {url}"),
    Problem("user.name_bad", Kind.REFUSED, "{name} cannot be the name of a person: {why}.", "Choose another name."),
    Problem("user.exists", Kind.CONFLICT, "There is somebody named {name} already.", "Choose another name."),
    Problem("user.unknown", Kind.MISSING, "There is nobody named {name}.", "See who there is: lineside users list"),
    Problem(
        "user.no_role",
        Kind.REFUSED,
        "{name} needs at least one role.",
        "Name some of viewer, operator, approver, admin.",
    ),
    Problem(
        "user.last_admin",
        Kind.CONFLICT,
        "{name} is the last admin who is not disabled.",
        "Make another one first: lineside users create NAME --role admin",
    ),
    Problem(
        "user.disabled", Kind.CONFLICT, "{name} is disabled.", "Let them in again first: lineside users enable {name}"
    ),
    Problem(
        "user.elsewhere",
        Kind.CONFLICT,
        "{name} signs in at {issuer}, not with a password.",
        "Sign in at that provider; roles are given there.",
    ),
    Problem(
        "user.no_person",
        Kind.CONFLICT,
        "{who} is no person with a password.",
        "Sign in as a person: lineside login URL",
    ),
    Problem("password.bad", Kind.REFUSED, "This password cannot be taken: {why}.", "Choose another password."),
    Problem("token.unknown", Kind.MISSING, "There is no API token {id}.", "See what there is: lineside tokens list"),
    Problem(
        "token.bad", Kind.REFUSED, "Such an API token cannot be made: {why}.", "Ask for less, or as somebody else."
    ),
    Problem(
        "oidc.off",
        Kind.MISSING,
        "No OpenID provider is configured here.",
        "Sign in with a name and a password, or set --oidc-issuer (docs/people.md).",
    ),
    Problem(
        "oidc.unreachable",
        Kind.UNAVAILABLE,
        "The OpenID provider does not answer as it should: {why}.",
        "Try again; check --oidc-issuer, --oidc-client-id and --oidc-ca (docs/people.md).",
    ),
    Problem(
        "oidc.refused",
        Kind.UNAUTHENTICATED,
        "What the OpenID provider says is not believed: {why}.",
        "Sign in again from the beginning; if it happens again, check the provider's configuration.",
    ),
    Problem(
        "oidc.no_role",
        Kind.FORBIDDEN,
        "The OpenID provider knows {name}, but gives no role here.",
        "Give one at the provider, as --oidc-roles maps them (docs/people.md).",
    ),
    Problem(
        "oidc.name",
        Kind.CONFLICT,
        "The OpenID provider names somebody {name}: {why}.",
        "Ask an admin to look at: lineside users list",
    ),
)
