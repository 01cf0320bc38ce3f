"""Deliveries, the doors that start them, and webhooks."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "cli.bad_plan",
        Kind.REFUSED,
        "The file {file} is no rollout plan: {why}.",
        "Write it as docs/rollouts.md says, in JSON or YAML.",
    ),
    Problem(
        "delivery.unclear",
        Kind.REFUSED,
        "It is not clear what to deliver: {why}.",
        "Name a model (NAME or NAME:VERSION) or a component (NAME VERSION): lineside deliver --help",
    ),
    Problem(
        "delivery.hopeless",
        Kind.CONFLICT,
        "{what} cannot be delivered: it is {state}.",
        "See why: lineside models show {what}",
    ),
    Problem(
        "delivery.ended",
        Kind.CONFLICT,
        "{delivery} has ended: it is {state}.",
        "See its history: lineside deliveries show {delivery}",
    ),
    Problem(
        "hook.refused",
        Kind.UNAUTHENTICATED,
        "The message is not let in: {why}.",
        "Sign it as docs/deliveries.md says, with the secret of this hook, and with the clock right.",
    ),
    Problem(
        "hook.exists",
        Kind.CONFLICT,
        "There is a hook named {name} already.",
        "Remove it first, or choose another name: lineside deliveries hooks list",
    ),
    Problem(
        "webhook.url",
        Kind.REFUSED,
        "{url} cannot be told anything: {why}.",
        "Give an address like https://ci.example.org/lineside.",
    ),
    Problem(
        "webhook.kind",
        Kind.REFUSED,
        "{kind} is no kind of event.",
        "Name the beginning of a kind, such as rollout or model.approved; see them: lineside events list",
    ),
    Problem(
        "webhook.too_many",
        Kind.CONFLICT,
        "There are {most} webhooks already.",
        "Remove one that is not needed: lineside webhooks list",
    ),
)
