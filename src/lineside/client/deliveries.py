"""Operations of people's API about deliveries and webhooks."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.delivery import (
    Delivery,
    DeliveryHook,
    DeliveryPage,
    DeliveryRequest,
    DeliveryRule,
    HookMade,
    HookRequest,
    RuleRequest,
)


class Delivering(Calls):
    """Deliveries, and what starts them."""

    def deliver(self, request: DeliveryRequest) -> Delivery:
        """Bring a model or component version to a group; one that is under way is answered as it is."""
        return self.connection.call("POST", "/deliveries", Delivery, body=request)

    def deliveries(self, *, before: str | None = None, limit: int = 100) -> DeliveryPage:
        """Deliveries, newest first, without their history."""
        return self.connection.call("GET", "/deliveries", DeliveryPage, query={"before": before, "limit": limit})

    def delivery(self, delivery: str) -> Delivery:
        """One delivery with its history."""
        return self.connection.call("GET", path("deliveries", delivery), Delivery)

    def cancel_delivery(self, delivery: str) -> Delivery:
        """Stop it where it is, its rollout too."""
        return self.connection.call("POST", path("deliveries", delivery, "cancel"), Delivery)

    def delivery_rules(self) -> list[DeliveryRule]:
        """What is delivered whenever it is approved."""
        return self.connection.call("GET", "/delivery-rules", list[DeliveryRule])

    def create_delivery_rule(self, request: RuleRequest) -> DeliveryRule:
        """Deliver a model to a group whenever a version is approved."""
        return self.connection.call("POST", "/delivery-rules", DeliveryRule, body=request)

    def remove_delivery_rule(self, rule: str) -> DeliveryRule:
        """Take a rule away."""
        return self.connection.call("POST", path("delivery-rules", rule, "remove"), DeliveryRule)

    def delivery_hooks(self) -> list[DeliveryHook]:
        """Doors through which programs start deliveries."""
        return self.connection.call("GET", "/delivery-hooks", list[DeliveryHook])

    def create_delivery_hook(self, request: HookRequest) -> HookMade:
        """Let programs elsewhere start deliveries; the secret is in this answer and nowhere else."""
        return self.connection.call("POST", "/delivery-hooks", HookMade, body=request)

    def remove_delivery_hook(self, hook: str) -> DeliveryHook:
        """Let them start nothing any more."""
        return self.connection.call("POST", path("delivery-hooks", hook, "remove"), DeliveryHook)
