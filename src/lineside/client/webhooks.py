"""Operations of people's API about webhooks."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.webhook import Webhook, WebhookDetails, WebhookMade, WebhookMessage, WebhookRequest


class Telling(Calls):
    """Webhooks: who is told of what."""

    def webhooks(self) -> list[Webhook]:
        """All webhooks, oldest first."""
        return self.connection.call("GET", "/webhooks", list[Webhook])

    def webhook(self, webhook: str) -> WebhookDetails:
        """One with its newest messages."""
        return self.connection.call("GET", path("webhooks", webhook), WebhookDetails)

    def create_webhook(self, request: WebhookRequest) -> WebhookMade:
        """Tell somebody of events from now on; the secret is in this answer and nowhere else."""
        return self.connection.call("POST", "/webhooks", WebhookMade, body=request)

    def remove_webhook(self, webhook: str) -> Webhook:
        """Tell them nothing any more."""
        return self.connection.call("POST", path("webhooks", webhook, "remove"), Webhook)

    def test_webhook(self, webhook: str) -> WebhookMessage:
        """Send a test message now; what came of it."""
        return self.connection.call("POST", path("webhooks", webhook, "test"), WebhookMessage)

    def redeliver_message(self, webhook: str, message: str) -> WebhookMessage:
        """Send a message again, now and for another day."""
        where = path("webhooks", webhook, "messages", message, "redeliver")
        return self.connection.call("POST", where, WebhookMessage)
