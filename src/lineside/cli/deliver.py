"""`lineside deliver` and `lineside deliveries`: versions on their way to a group by themselves, what starts them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml
from rich.console import RenderableType

from lineside.cli.options import Json, Limit, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, mark, rows, spaced, when
from lineside.client import Client
from lineside.contract.delivery import (
    OPEN,
    Delivery,
    DeliveryHook,
    DeliveryPage,
    DeliveryRequest,
    DeliveryRule,
    DeliveryState,
    HookMade,
    HookRequest,
    RuleRequest,
)
from lineside.contract.errors import LinesideError
from lineside.contract.plain_yaml import load_plain
from lineside.contract.rollout import RolloutPlan
from lineside.contract.rollout_words import plan_in_words

app = typer.Typer(name="deliveries", help="Deliveries: versions on their way to a group.", no_args_is_help=True)
rules = typer.Typer(name="rules", help="What is delivered whenever it is approved.", no_args_is_help=True)
hooks = typer.Typer(name="hooks", help="Doors through which programs start deliveries.", no_args_is_help=True)
app.add_typer(rules)
app.add_typer(hooks)

DeliveryId = Annotated[str, typer.Argument(help="Id of a delivery.")]
Group = Annotated[str, typer.Option("--group", help="The group it goes to.")]
Plan = Annotated[
    Path | None, typer.Option("--plan", help="How it is rolled out: a file with a rollout plan, JSON or YAML.")
]

_GOOD = {DeliveryState.DELIVERED: True, DeliveryState.FAILED: False, DeliveryState.CANCELLED: False}
_LOOK_EVERY = 1.0


def deliver(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL[:VERSION]]", help="The model, or MODEL@ALIAS.")] = None,
    group: Annotated[str, typer.Option("--group", help="The group it goes to.")] = "default",
    component: Annotated[
        str | None, typer.Option("--component", metavar="'NAME VERSION'", help="A component in place of a model.")
    ] = None,
    plan: Plan = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit with 1 unless delivered.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Deliver a model or component version to a group: twin test, approval and waves go by themselves."""
    if (model is None) == (component is None):
        raise typer.BadParameter("name a model, or give --component")
    with session(url, root, json) as (client, out):
        request = DeliveryRequest(group=group, model=model, component=component, plan=read_plan(plan))
        delivery = client.deliver(request)
        if wait:
            delivery = _ended(client, delivery)
        out.show(delivery, _details)
    if wait and delivery.state is not DeliveryState.DELIVERED:
        raise typer.Exit(1)


def _ended(client: Client, delivery: Delivery) -> Delivery:
    note = ""
    while delivery.state in OPEN:
        if delivery.note != note:
            note = delivery.note
            typer.echo(f"{delivery.state.value}: {note}", err=True)
        time.sleep(_LOOK_EVERY)
        delivery = client.delivery(delivery.id)
    return delivery


@app.command("list")
def list_(
    before: Annotated[str | None, typer.Option("--before", help="Only those before this one.")] = None,
    limit: Limit = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List deliveries, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.deliveries(before=before, limit=limit), _table)


@app.command()
def show(delivery: DeliveryId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a delivery: where it is, what it waits for, its history."""
    with session(url, root, json) as (client, out):
        out.show(client.delivery(delivery), _details)


@app.command()
def cancel(delivery: DeliveryId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Stop a delivery where it is, its rollout too."""
    with session(url, root, json) as (client, out):
        out.show(client.cancel_delivery(delivery), _details)


@rules.command("list")
def list_rules(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List rules, oldest first."""
    with session(url, root, json) as (client, out):
        out.show(client.delivery_rules(), _rules)


@rules.command("create")
def create_rule(
    model: Annotated[str, typer.Argument(help="Name of a model.")],
    group: Group,
    plan: Plan = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Deliver a model to a group whenever a version is approved."""
    with session(url, root, json) as (client, out):
        out.show(client.create_delivery_rule(RuleRequest(model=model, group=group, plan=read_plan(plan))), _rule)


@rules.command("remove")
def remove_rule(
    rule: Annotated[str, typer.Argument(help="Id of a rule.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Take a rule away; what it has started goes on."""
    with session(url, root, json) as (client, out):
        out.show(client.remove_delivery_rule(rule), _rule)


@hooks.command("list")
def list_hooks(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List hooks by name."""
    with session(url, root, json) as (client, out):
        out.show(client.delivery_hooks(), _hooks)


@hooks.command("create")
def create_hook(
    name: Annotated[str, typer.Argument(help="Name of the hook, the end of its address.")],
    group: Group,
    model: Annotated[str | None, typer.Option("--model", help="It may deliver this model only.")] = None,
    component: Annotated[str | None, typer.Option("--component", help="It may deliver this component only.")] = None,
    plan: Plan = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Let programs elsewhere start deliveries to a group; prints the secret, which is shown this once."""
    with session(url, root, json) as (client, out):
        request = HookRequest(name=name, group=group, model=model, component=component, plan=read_plan(plan))
        out.show(client.create_delivery_hook(request), _made)


@hooks.command("remove")
def remove_hook(
    name: Annotated[str, typer.Argument(help="Name of a hook.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Let them start nothing any more."""
    with session(url, root, json) as (client, out):
        out.show(client.remove_delivery_hook(name), _hook)


def read_plan(file: Path | None) -> RolloutPlan | None:
    """A rollout plan from a JSON or YAML file, alone or under the key `rollout`. Raises `cli.bad_plan`."""
    if file is None:
        return None
    try:
        said = load_plain(file.read_text(encoding="utf-8"))
        return msgspec.convert(said.get("rollout", said) if isinstance(said, dict) else said, RolloutPlan)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, msgspec.ValidationError) as why:
        raise LinesideError("cli.bad_plan", file=file, why=" ".join(str(why).split())) from why


# --- how they are shown ---------------------------------------------------------------------------------------------


def _table(page: DeliveryPage) -> RenderableType:
    lines = (
        (
            one.id,
            mark(_GOOD.get(one.state), one.state.value),
            one.what,
            one.group,
            one.note,
            one.cause,
            when(one.created_at),
        )
        for one in page.deliveries
    )
    headings = ("id", "state", "brings", "to", "now", "started by", "started")
    return rows(headings, lines, "Nothing is on its way. Deliver a model: lineside deliver NAME:VERSION --group GROUP")


def _details(delivery: Delivery) -> RenderableType:
    head = details(
        (
            ("id", delivery.id),
            ("brings", delivery.what),
            ("to", delivery.group),
            ("state", mark(_GOOD.get(delivery.state), delivery.state.value)),
            ("now", delivery.note),
            ("started by", delivery.cause),
            *(plan_in_words(delivery.plan) if delivery.plan else ()),
            ("deployment", delivery.deployment),
            ("rollout", delivery.rollout),
            ("started", when(delivery.created_at)),
            ("ended", when(delivery.finished_at)),
        )
    )
    moves = ((when(one.at), one.wanted, one.why) for one in delivery.history)
    return spaced((head, rows(("at", "state", "why"), moves, "It has just begun.")))


def _rules(found: Sequence[DeliveryRule]) -> RenderableType:
    lines = ((one.id, one.model, one.group, "yes" if one.plan else None, one.by, when(one.created_at)) for one in found)
    nothing = "No rule. Make one: lineside deliveries rules create MODEL --group GROUP"
    return rows(("id", "approved versions of", "to", "own plan", "by", "since"), lines, nothing)


def _rule(rule: DeliveryRule) -> RenderableType:
    return details(
        (
            ("id", rule.id),
            ("approved versions of", rule.model),
            ("to", rule.group),
            *(plan_in_words(rule.plan) if rule.plan else ()),
            ("by", rule.by),
            ("since", when(rule.created_at)),
        )
    )


def _hooks(found: Sequence[DeliveryHook]) -> RenderableType:
    lines = (
        (one.name, one.model or one.component or "anything", one.group, one.by, when(one.created_at)) for one in found
    )
    nothing = "No hook. Make one: lineside deliveries hooks create NAME --group GROUP"
    return rows(("name", "may deliver", "to", "by", "since"), lines, nothing)


def _hook(hook: DeliveryHook) -> RenderableType:
    about = hook.model or hook.component or "anything"
    return details((("name", hook.name), ("may deliver", about), ("to", hook.group), ("by", hook.by)))


def _made(made: HookMade) -> RenderableType:
    secret = (("address", made.url), ("secret", made.secret), ("", "Keep it now: it is not shown again."))
    return spaced((_hook(made.hook), details(secret)))
