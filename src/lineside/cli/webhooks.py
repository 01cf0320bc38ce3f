"""`lineside webhooks`: programs elsewhere that are told of what changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, mark, rows, spaced, when
from lineside.contract.webhook import (
    MessageState,
    Webhook,
    WebhookDetails,
    WebhookMade,
    WebhookMessage,
    WebhookRequest,
)

app = typer.Typer(name="webhooks", help="Webhooks: programs that are told of what changes.", no_args_is_help=True)

WebhookId = Annotated[str, typer.Argument(help="Id of a webhook.")]

_GOOD = {MessageState.TAKEN: True, MessageState.GIVEN_UP: False}


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List webhooks, oldest first."""
    with session(url, root, json) as (client, out):
        out.show(client.webhooks(), _table)


@app.command()
def show(webhook: WebhookId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a webhook with its newest messages and their answers."""
    with session(url, root, json) as (client, out):
        out.show(client.webhook(webhook), _shown)


@app.command()
def create(
    address: Annotated[str, typer.Argument(metavar="URL", help="Where messages are sent, http or https.")],
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only events of this kind, or beginning so; may be repeated.")
    ] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Tell a program of events from now on; prints the secret, which is shown this once."""
    with session(url, root, json) as (client, out):
        out.show(client.create_webhook(WebhookRequest(url=address, kinds=tuple(kind or ()))), _made)


@app.command()
def remove(webhook: WebhookId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Tell it nothing any more, nor what waits."""
    with session(url, root, json) as (client, out):
        out.show(client.remove_webhook(webhook), _details)


@app.command("test")
def send_test(webhook: WebhookId, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Send a test message now, and show what came of it."""
    with session(url, root, json) as (client, out):
        out.show(client.test_webhook(webhook), _message)


@app.command()
def redeliver(
    webhook: WebhookId,
    message: Annotated[str, typer.Argument(help="Id of a message.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Send a message again, now and for another day."""
    with session(url, root, json) as (client, out):
        out.show(client.redeliver_message(webhook, message), _message)


def _table(found: Sequence[Webhook]) -> RenderableType:
    lines = (
        (one.id, one.url, ", ".join(one.kinds) or "everything", one.waiting, one.answer, when(one.answered_at))
        for one in found
    )
    headings = ("id", "address", "is told of", "waiting", "newest answer", "at")
    return rows(headings, lines, "Nobody is told. Tell somebody: lineside webhooks create URL --kind rollout")


def _details(webhook: Webhook) -> RenderableType:
    return details(
        (
            ("id", webhook.id),
            ("address", webhook.url),
            ("is told of", ", ".join(webhook.kinds) or "everything"),
            ("waiting", webhook.waiting),
            ("newest answer", webhook.answer),
            ("by", webhook.by),
            ("since", when(webhook.created_at)),
        )
    )


def _shown(shown: WebhookDetails) -> RenderableType:
    lines = (
        (one.id, one.kind, one.subject, mark(_GOOD.get(one.state), one.state.value), one.tries, one.answer)
        for one in shown.messages
    )
    table = rows(("message", "kind", "about", "state", "tries", "answer"), lines, "Nothing was sent yet.")
    return spaced((_details(shown.webhook), table))


def _message(message: WebhookMessage) -> RenderableType:
    return details(
        (
            ("id", message.id),
            ("kind", message.kind),
            ("state", mark(_GOOD.get(message.state), message.state.value)),
            ("tries", message.tries),
            ("answer", message.answer),
            ("next try", when(message.next_at)),
        )
    )


def _made(made: WebhookMade) -> RenderableType:
    return spaced(
        (_details(made.webhook), details((("secret", made.secret), ("", "Keep it now: it is not shown again."))))
    )
