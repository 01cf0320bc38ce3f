"""The first words of commands. The module of a word is imported when the word is asked for, so that `lineside devices`
waits for no other noun, and `lineside --help` for none at all."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, MutableMapping
from functools import cache
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

WORDS: Mapping[str, tuple[str, str]] = {
    "up": ("up:up", "Start the control plane: pages, APIs, broker and worker."),
    "demo": (
        "demo.command:demo",
        "Show the whole loop on this machine: import, train, approve, roll out to devices, infer, bring images back.",
    ),
    "overview": ("overview:overview", "Show the loop with a live count at each stage, and what needs a person."),
    "deliver": (
        "deliver:deliver",
        "Deliver a model or component version to a group: twin test, approval and waves go by themselves.",
    ),
    "lineage": (
        "lineage:lineage",
        "Show where a result came from: model, signatures, run, dataset version and the very images.",
    ),
    "login": ("login:login", "Sign in, and keep an API token for the commands that follow."),
    "logout": (
        "login:logout",
        "Forget the API token that `lineside login` keeps; one that it made for itself is revoked, too.",
    ),
    "whoami": ("login:whoami", "Show who the control plane takes you for, and what you may do."),
    "workers": ("workers:workers", "List workers, and what each does."),
    "worker": ("workers:worker", "Do the runs that wait in a queue, until it is stopped."),
    "agent": ("agent:agent", "Make this machine a device: agent join, agent run, agent status."),
    "devices": ("devices:app", "Devices of the fleet."),
    "groups": ("groups:app", "Groups of devices."),
    "datasets": ("datasets:app", "Dataset versions."),
    "runs": ("runs:app", "Runs: executions of the pipeline."),
    "loops": ("loops:app", "Loops: what is trained again, and what starts it."),
    "models": ("models:app", "Model versions."),
    "components": ("components:app", "Components: recipes with their artifacts."),
    "deployments": ("deployments:app", "Deployments: components wanted by a group."),
    "rollouts": ("rollouts:app", "Rollouts: deployments on their way through waves."),
    "deliveries": ("deliver:app", "Deliveries: versions on their way to a group."),
    "twin": ("twin:app", "Twins: simulated devices that models are tried on."),
    "results": ("results:app", "Results: one for each image a device looked at."),
    "captures": ("captures:app", "Captures: images devices kept, and why."),
    "review": ("review:app", "Review: what people say about captures."),
    "drift": ("drift:app", "Drift: what devices see and say, against what is usual there; and field accuracy."),
    "runtime": ("runtime:app", "Run a model on this machine."),
    "events": ("events:app", "Events: what happened."),
    "audit": ("audit:app", "Audit: who decided what, chained by hashes."),
    "broker": ("broker:app", "The MQTT broker that devices use."),
    "database": ("databases:app", "The control plane's database."),
    "objects": ("objects:app", "Where images, models and artifacts are kept."),
    "secrets": ("secrets:app", "Secrets of components."),
    "webhooks": ("webhooks:app", "Webhooks: programs that are told of what changes."),
    "trust": ("trust:app", "Keys, roles and signatures."),
    "users": ("users:app", "People who have access."),
    "tokens": ("tokens:app", "API tokens of people."),
}
"""Each word: the command or the noun's commands below `lineside.cli`, and what the help says of it."""

_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "up": {"context_settings": {"ignore_unknown_options": True}},
    "agent": {
        "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
        "add_help_option": False,
    },
}
"""Commands that hand over to another program what follows them."""


_FIRST = {"list": 0, "show": 1}


class FirstWords(TyperGroup):
    """The commands of `lineside`, by their first words."""

    @property
    def commands(self) -> MutableMapping[str, Any]:
        """All of them, which imports every module: for the reference and for tests."""
        return {word: command(word) for word in WORDS}

    @commands.setter
    def commands(self, registered: MutableMapping[str, Any]) -> None:
        """None is registered: they are all in the table."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The words."""
        return list(WORDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a word, None for what is no word."""
        return command(cmd_name) if cmd_name in WORDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands in the help, from the table alone."""
        width = formatter.width - 6 - max(map(len, WORDS))
        with formatter.section("Commands"):
            said = [(word, TyperCommand(word, help=words)) for word, (_, words) in WORDS.items()]
            formatter.write_dl([(word, one.get_short_help_str(width)) for word, one in said])


@cache
def command(word: str) -> Any:
    """What a first word does: one command, or the commands of a noun."""
    module, _, name = WORDS[word][0].partition(":")
    found = getattr(importlib.import_module(f"lineside.cli.{module}"), name)
    alone = typer.Typer(rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        alone.add_typer(found)
    else:
        alone.command(word, **_SETTINGS.get(word, {}))(found)
    made = typer.main.get_group(alone).commands[word]
    if isinstance(made, TyperGroup):  # in the help, what looks stands before what changes something
        made.commands = dict(sorted(made.commands.items(), key=lambda one: _FIRST.get(one[0], len(_FIRST))))
    return made
