"""Every decision over people's API leaves its row: who, what, about what, from where, why, and the digest.

The table below is held against the API's routes: a route that changes something is performed here, or is named among
those that decide nothing, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from litestar.routes import HTTPRoute
from sqlalchemy import update

from lineside.client.folder import upload_folder
from lineside.client.tls_keys import TlsKey
from lineside.contract.audit import AuditEntry
from lineside.contract.broker import BrokerCertificateRequest
from lineside.contract.ceremony import ProposalState, ProposeChange
from lineside.contract.collection import CollectionRequest, CollectionSchedule
from lineside.contract.component import AddComponent
from lineside.contract.dataset_check import FieldRequest
from lineside.contract.delivery import DeliveryRequest, HookRequest, RuleRequest
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.device import AcceptRequest, JoinTokenRequest, Preauthorisation
from lineside.contract.evaluation import EvaluateModel
from lineside.contract.group import GroupChange, GroupRequest, LabelsChange, Which
from lineside.contract.inquiry import InquiryKind, InquiryRequest
from lineside.contract.loop import LoopDocument
from lineside.contract.model import Decision, ImportModel, ModelVersion, RegisterModel
from lineside.contract.registry import EditCard, PointAlias, RemoveAlias
from lineside.contract.review import (
    Answer,
    AnswerKind,
    LabelsRequest,
    MakeDataset,
    ReviewExport,
    ReviewPolicy,
    ReviewRule,
)
from lineside.contract.rollout import DeviceProgress
from lineside.contract.run import RunRequest
from lineside.contract.webhook import WebhookRequest
from lineside.server.rollouts.store import RolloutDeviceRow
from lineside.server.testing import running
from tests.pages.story import House, labelled_folder
from tests.server.access.people import PASSWORD
from tests.server.access.people import house as locked_house
from tests.server.drift.telling import DRIFTED, drifted
from tests.server.review.world import made
from tests.server.trust.hands import Hand

RECIPE = """
RecipeFormatVersion: "2020-01-25"
ComponentName: com.example.lamp
ComponentVersion: "{version}"
Manifests: [{{Platform: {{os: linux}}, Lifecycle: {{Run: sleep 1}}}}]
"""


class World(House):
    """The house with everything, and what its decisions made."""

    hand = Hand("Ada")

    def candidate(self, name: str) -> ModelVersion:
        """Another model version that passed its gates."""
        fields = {one: getattr(self.model, one) for one in RegisterModel.__struct_fields__}
        return self.client.register_model(RegisterModel(**(fields | {"name": name})))

    def awaiting(self, name: str) -> ModelVersion:
        """Another model version that its twin has tested."""
        model = self.candidate(name)
        self.deliver(self.twin, lambda: self.client.model(name, 1).state.value == "awaiting_approval")
        return model


@dataclass(frozen=True)
class Said:
    """What a row must say beside who and from where."""

    subject: str
    digest: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Step:
    """A route, what is done there, and the action that its row must name."""

    route: str
    action: str
    do: Callable[[World], Said]


def _approve(world: World) -> Said:
    world.client.approve_model("plates", 1, Decision(reason="fine on the twin"))
    return Said("plates:1", world.model.digest, "fine on the twin")


def _propose_model(world: World) -> Said:
    model = world.awaiting("bowls")
    world.client.propose_model("bowls", 1, Decision(reason="look at it"))
    return Said("bowls:1", model.digest, "look at it")


def _withdraw_model(world: World) -> Said:
    world.client.withdraw_model("bowls", 1, Decision(reason="they are blue now"))
    return Said("bowls:1", world.client.model("bowls", 1).digest, "they are blue now")


def _reject(world: World) -> Said:
    model = world.candidate("cups")
    world.client.reject_model("cups", 1, Decision(reason="too many chips missed"))
    return Said("cups:1", model.digest, "too many chips missed")


def _retire(world: World) -> Said:
    world.client.retire_model("cups", 1, Decision(reason="made room"))
    return Said("cups:1", world.client.model("cups", 1).digest, "made room")


def _point_alias(world: World) -> Said:
    world.client.point_alias("plates", "production", PointAlias(version=1, reason="it holds"))
    return Said("plates@production", world.model.digest, "points at version 1 (it holds)")


def _remove_alias(world: World) -> Said:
    world.client.remove_alias("plates", "production", RemoveAlias(reason="the line is closed"))
    return Said("plates@production", None, "the line is closed")


def _edit_card(world: World) -> Said:
    world.client.edit_card("plates", 1, EditCard(notes="For line 4 only.", revision=0, reason="asked for"))
    return Said("plates:1", world.model.digest, "revision 1: asked for")


def _retest(world: World) -> Said:
    model = world.awaiting("saucers")
    world.client.retest_model("saucers", 1, Decision(reason="on the new twin, too"))
    return Said("saucers:1", model.digest, "on the new twin, too")


def _deploy(world: World) -> Said:
    world.deploy()
    newest = world.client.deployments().deployments[0]
    return Said(newest.id, newest.digest, "line-1 should run plates.inference")


def _abort(world: World) -> Said:
    version = next(one.version for one in world.client.components() if one.name == "plates.model")
    document = DeploymentDocument(
        group_name="line-1", components={"plates.model": ComponentSpec(component_version=version)}
    )
    rollout = world.client.deploy(document).rollout
    world.client.abort_rollout(rollout)
    return Said(rollout, None, "line-1")


def _steer(verb: str) -> Callable[[World], Said]:
    def act(world: World) -> Said:
        version = next(one.version for one in world.client.components() if one.name == "plates.model")
        components = {"plates.model": ComponentSpec(component_version=version)}
        rollout = world.client.deploy(DeploymentDocument(group_name="line-1", components=components)).rollout
        for loop in world.lineside.apps.loops:
            loop.step()
        if verb == "retry_rollout":
            with world.lineside.core.database.write() as session:
                mine = RolloutDeviceRow.rollout == int(rollout.removeprefix("rollout-"))
                session.execute(update(RolloutDeviceRow).where(mine).values(progress=DeviceProgress.FAILED))
        getattr(world.client, verb)(rollout)
        return Said(rollout, None, "line-1")

    return act


def _start(world: World) -> Said:
    run = world.client.start_run(RunRequest(model="plates", dataset=world.dataset.id))
    return Said(run.id, None, f"train plates on {world.dataset.id}")


def _cancel(world: World) -> Said:
    run = world.client.runs()[0].id
    world.client.cancel_run(run)
    return Said(run)


def _evaluate_model(world: World) -> Said:
    run = world.client.evaluate_model("plates", 1, EvaluateModel(dataset=world.dataset.id))
    return Said(run.id, None, f"evaluate plates on {world.dataset.id}")


def _apply_loop(world: World) -> Said:
    world.client.apply_loop(LoopDocument(name="nightly", model="plates", dataset=world.dataset.id))
    return Said("nightly", None, "the loop nightly was applied")


def _start_loop(world: World) -> Said:
    run = world.client.start_loop("nightly")
    return Said(run.id, None, f"train plates on {world.dataset.id}")


def _remove_loop(world: World) -> Said:
    world.client.remove_loop("nightly")
    return Said("nightly", None, "the loop nightly was removed")


def _import_model(world: World) -> Said:
    file = world.client.put_blob(b"an ONNX file")
    run = world.client.import_model(ImportModel(name="bought", file=file, head="compact", labels=("scratch",)))
    return Said(run.id, file, "import bought")


def _import_dataset(world: World) -> Said:
    folder = labelled_folder(world.folder / "more")
    (folder / "images" / "plate-8.png").unlink()
    version = upload_folder(world.client, folder, "fewer").version
    return Said(version.id, version.digest, "fewer: 8 images")


def _grow_field_set(world: World) -> Said:
    folder = labelled_folder(world.folder / "lately")
    content = json.loads((folder / "annotations.json").read_bytes())
    for image in content["images"]:
        image["taken_at"] = "2026-11-02T08:00:00Z"
    (folder / "annotations.json").write_text(json.dumps(content))
    upload_folder(world.client, folder, "lately")
    version = world.client.grow_field_set(FieldRequest(name="lately")).version
    return Said(version.id, version.digest, "lately-field: 3 images, 3 of them new.")


def _add(world: World) -> Said:
    made = world.client.add_component(AddComponent(recipe=RECIPE.format(version="1.0.0")))
    return Said("com.example.lamp:1.0.0", made.recipe_digest, "for the fleet")


def _sign_component(world: World) -> Said:
    made = world.client.add_component(AddComponent(recipe=RECIPE.format(version="1.1.0"), stage=True))
    world.client.propose_component(made.name, made.version)
    return Said("com.example.lamp:1.1.0", made.recipe_digest)


def _token(world: World) -> Said:
    world.client.create_join_token(JoinTokenRequest(group="line-2"))
    return Said(world.client.join_tokens()[0].id, None, "line-2")


def _revoke_token(world: World) -> Said:
    id_ = world.client.join_tokens()[0].id
    world.client.revoke_join_token(id_)
    return Said(id_)


def _preauthorise(world: World) -> Said:
    world.client.preauthorise(Preauthorisation(fingerprint="ab" * 32, name="cam-9", group="line-2"))
    return Said("cam-9", "sha256:" + "ab" * 32, "line-2")


def _remove_preauthorised(world: World) -> Said:
    world.client.remove_preauthorised("ab" * 32)
    return Said("cam-9", "sha256:" + "ab" * 32)


def _quarantine(world: World) -> Said:
    device = world.client.quarantine_device("station-1", why="it smells of smoke")
    return Said("station-1", f"sha256:{device.fingerprint}", "it smells of smoke")


def _accept(world: World) -> Said:
    fingerprint = world.client.device("station-1").fingerprint
    world.client.accept_device("station-1", AcceptRequest(fingerprint=fingerprint))
    return Said("station-1", f"sha256:{fingerprint}")


def _revoke(world: World) -> Said:
    device = world.client.revoke_device("station-1", why="scrapped")
    return Said("station-1", f"sha256:{device.fingerprint}", "scrapped")


def _ask(world: World) -> Said:
    world.client.ask_device("station-1", InquiryRequest(kind=InquiryKind.LOGS, component="plates.inference"))
    return Said("station-1", None, "the log of plates.inference")


def _group(world: World) -> Said:
    world.client.create_group(GroupRequest(name="berlin", selector="site=berlin"))
    return Said("berlin", None, "site=berlin")


def _change_group(world: World) -> Said:
    world.client.change_group("berlin", GroupChange(selector="site=bonn"))
    return Said("berlin", None, "site=bonn")


def _add_to_group(world: World) -> Said:
    world.client.add_to_group("berlin", Which(devices=("station-1",)))
    return Said("berlin", None, "station-1")


def _remove_from_group(world: World) -> Said:
    world.client.remove_from_group("berlin", Which(selector="!site"))
    return Said("berlin", None, "selected by !site")


def _delete_group(world: World) -> Said:
    world.client.delete_group("berlin")
    return Said("berlin", None, "0 devices")


def _label(world: World) -> Said:
    change = LabelsChange(which=Which(devices=("station-1",)), set={"site": "berlin"}, remove=("line",))
    world.client.label_devices(change)
    return Said("station-1", None, "site=berlin, no line")


def _secret(world: World) -> Said:
    world.client.set_secret("camera-login", b"hunter2")
    return Said("camera-login")


def _remove_secret(world: World) -> Said:
    world.client.remove_secret("camera-login")
    return Said("camera-login")


def _rotate(world: World) -> Said:
    world.client.rotate_secrets_key()
    return Said("")


def _webhook(world: World) -> Said:
    made = world.client.create_webhook(WebhookRequest(url="http://127.0.0.1:9/nobody", kinds=("rollout",)))
    return Said(made.webhook.id, None, "http://127.0.0.1:9/nobody is told of rollout")


def _test_webhook(world: World) -> Said:
    world.client.test_webhook("webhook-1")
    return Said("webhook-1", None, "was sent a test")


def _redeliver(world: World) -> Said:
    message = world.client.webhook("webhook-1").messages[0].id
    world.client.redeliver_message("webhook-1", message)
    return Said("webhook-1", None, f"{message} is sent again")


def _remove_webhook(world: World) -> Said:
    world.client.remove_webhook("webhook-1")
    return Said("webhook-1", None, "is told nothing any more")


def _propose_change(world: World) -> Said:
    """A second approver, and both of them needed: that waits for Ada."""
    ada = ProposeChange(kind="key.add", role="approvers", public=world.hand.public, name="Ada")
    world.client.propose_change(ada)
    world.client.propose_change(ProposeChange(kind="threshold", role="approvers", threshold=2, why="two are better"))
    return Said("", None, "two are better")


def _sign(world: World) -> Said:
    proposal = world.client.proposals(ProposalState.OPEN)[0]
    world.client.add_signatures(proposal.id, world.hand.sign(proposal))
    return Said("", None, world.hand.id)


def _withdraw_proposal(world: World) -> Said:
    world.awaiting("vases")
    proposal = world.client.propose_model("vases", 1, Decision())
    world.client.withdraw_proposal(proposal.id, "not today")
    return Said(proposal.id, None, "not today")


def _blob(world: World) -> Said:
    world.client.get_blob(world.model.digest)
    return Said(world.model.digest, world.model.digest)


def _deliver(world: World) -> Said:
    world.candidate("forks")
    return Said(world.client.deliver(DeliveryRequest(model="forks", group="line-1")).id, None, "forks:1 to line-1")


def _cancel_delivery(world: World) -> Said:
    delivery = world.client.deliveries().deliveries[0].id
    world.client.cancel_delivery(delivery)
    return Said(delivery, None, "forks:1 to line-1")


def _delivery_rule(world: World) -> Said:
    rule = world.client.create_delivery_rule(RuleRequest(model="forks", group="line-1"))
    return Said(rule.id, None, "approved versions of forks are delivered to line-1")


def _remove_delivery_rule(world: World) -> Said:
    rule = world.client.remove_delivery_rule(world.client.delivery_rules()[0].id)
    return Said(rule.id, None, "no longer delivered to line-1")


def _delivery_hook(world: World) -> Said:
    world.client.create_delivery_hook(HookRequest(name="ci", group="line-1", model="forks"))
    return Said("ci", None, "the hook ci may start deliveries of forks to line-1")


def _remove_delivery_hook(world: World) -> Said:
    world.client.remove_delivery_hook("ci")
    return Said("ci", None, "the hook ci may start nothing any more")


def _bundle(world: World) -> Said:
    world.client.bundle(world.folder / "line-1.zip", group="line-1")
    return Said("line-1", None, "what the group line-1 should run")


def _blobs(world: World) -> Said:
    digests = [world.client.put_blob(each) for each in (b"one", b"two")]
    assert [b"".join(pieces) for _, pieces in world.client.get_blobs(digests)] == [b"one", b"two"]
    return Said("2 blobs", None, " ".join(digests))


def _review_policy(world: World) -> Said:
    world.client.set_review_policy(ReviewPolicy(lease_minutes=20))
    return Said("review", None, "leases of 20 minutes")


def _answer_review(world: World) -> Said:
    services, (record, data) = world.lineside.apps.services, made("kept-1", found=None)
    ticket = services["captures"].announce(record.device, record)
    services["captures"].upload(record.device, ticket.id, [data])
    services["reviews"].intake.step()
    world.client.answer_review(Answer(capture="kept-1", kind=AnswerKind.NOTHING))
    return Said("kept-1", record.digest, "nothing: 0 boxes")


def _undo_review(world: World) -> Said:
    return Said("kept-1", world.client.undo_review().record.digest, "waiting again")


def _acknowledge_drift(world: World) -> Said:
    drifted(world.lineside.core)
    world.client.acknowledge_drift(1, "the lamp is new")
    return Said("1", None, "was acknowledged: the lamp is new")


def _mute_drift(world: World) -> Said:
    world.client.mute_drift(1, 2, "cleaned tomorrow")
    return Said("1", None, "cleaned tomorrow")


def _rebase_drift(world: World) -> Said:
    stream = world.client.drift_streams(name=DRIFTED).streams[0].id
    world.client.rebase_drift(stream, "the lamp stays")
    return Said(stream, None, "what is usual there: the lamp stays")


def _export_reviews(world: World) -> Said:
    world.client.export_reviews(ReviewExport(format="csv"))
    return Said("review", None, "as csv, for 24 hours")


def _import_labels(world: World) -> Said:
    categories = [{"id": 1, "name": "scratch"}]
    document = {"images": [{"id": 1, "file_name": "kept-1.png"}], "annotations": [], "categories": categories}
    blob = world.client.put_blob(json.dumps(document).encode())
    world.client.import_labels(LabelsRequest(files={"labels.json": blob}))
    world.client.undo_review()
    return Said("kept-1", None, "nothing: 0 boxes")


def _make_of_reviews(world: World) -> Said:
    world.client.answer_review(Answer(capture="kept-1", kind=AnswerKind.NOTHING))
    made = world.client.make_dataset(MakeDataset(name=world.dataset.name, field_share=0.0))
    assert made.version is not None
    return Said(made.version.id, made.version.digest, "1 image")


def _review_rule(world: World) -> Said:
    world.client.apply_review_rule(ReviewRule(name="plates", reviewed=50))
    return Said("plates", None, "takes 50 reviews at a time")


def _remove_review_rule(world: World) -> Said:
    world.client.remove_review_rule("plates")
    return Said("plates", None, "takes no reviews of itself any more")


def _export_dataset(world: World) -> Said:
    world.client.export_dataset(world.dataset.id, "csv")
    return Said(world.dataset.id, world.dataset.digest, f"{world.dataset.name} as csv")


def _collect(world: World) -> Said:
    request = CollectionRequest(group="line-1", count=5, until="2099-01-01T00:00:00Z")
    made = world.client.collect(request)
    return Said(made.id, None, "5 images")


def _cancel_collection(world: World) -> Said:
    made = world.client.collections().collections[0]
    world.client.cancel_collection(made.id)
    return Said(made.id, None, "was cancelled")


def _schedule_collection(world: World) -> Said:
    document = CollectionSchedule(name="mondays", schedule="0 6 * * mon", hours=12, group="line-1", count=5)
    world.client.schedule_collection(document)
    return Said("mondays", None, "0 6 * * mon")


def _unschedule_collection(world: World) -> Said:
    world.client.unschedule_collection("mondays")
    return Said("mondays", None, "was removed")


def _export(world: World) -> Said:
    assert sum(1 for _ in world.client.export_audit(since=3))
    return Said("audit", None, "rows after 3")


def _certify_broker(world: World) -> Said:
    request = BrokerCertificateRequest(csr=TlsKey().request("broker.test"), names=("broker.test", "10.0.0.7"))
    world.client.certify_broker(request)
    return Said("broker.test", None, "for broker.test, 10.0.0.7")


STEPS = (
    Step("POST /datasets", "dataset.import", _import_dataset),
    Step("POST /field-sets", "dataset.field", _grow_field_set),
    Step("POST /runs", "run.start", _start),
    Step("POST /runs/{run}/cancel", "run.cancel", _cancel),
    Step("PUT /loops/{name}", "loop.apply", _apply_loop),
    Step("POST /loops/{name}/start", "run.start", _start_loop),
    Step("POST /loops/{name}/remove", "loop.remove", _remove_loop),
    Step("POST /models/import", "run.import", _import_model),
    Step("POST /models/{name}/{version}/evaluate", "run.start", _evaluate_model),
    Step("POST /models/{name}/{version}/approve", "model.approve", _approve),
    Step("POST /deployments", "deployment.create", _deploy),
    Step("POST /rollouts/{rollout}/abort", "rollout.abort", _abort),
    Step("POST /rollouts/{rollout}/pause", "rollout.pause", _steer("pause_rollout")),
    Step("POST /rollouts/{rollout}/resume", "rollout.resume", _steer("resume_rollout")),
    Step("POST /rollouts/{rollout}/retry", "rollout.retry", _steer("retry_rollout")),
    Step("POST /rollouts/{rollout}/rollback", "rollout.rollback", _steer("roll_back_rollout")),
    Step("POST /models/{name}/{version}/reject", "model.reject", _reject),
    Step("POST /models/{name}/{version}/retire", "model.retire", _retire),
    Step("POST /models/{name}/aliases/{alias}", "model.alias", _point_alias),
    Step("POST /models/{name}/aliases/{alias}/remove", "model.alias_remove", _remove_alias),
    Step("POST /models/{name}/{version}/card", "model.card", _edit_card),
    Step("POST /models/{name}/{version}/retest", "model.retest", _retest),
    Step("POST /models/{name}/{version}/proposal", "model.approve", _propose_model),
    Step("POST /models/{name}/{version}/withdraw", "model.withdraw", _withdraw_model),
    Step("POST /components", "component.add", _add),
    Step("POST /components/{name}/{version}/proposal", "component.sign", _sign_component),
    Step("POST /drift/alarms/{number}/acknowledge", "drift.acknowledge", _acknowledge_drift),
    Step("POST /drift/alarms/{number}/mute", "drift.mute", _mute_drift),
    Step("POST /drift/rebase", "drift.rebase", _rebase_drift),
    Step("POST /deliveries", "delivery.start", _deliver),
    Step("POST /deliveries/{delivery}/cancel", "delivery.cancel", _cancel_delivery),
    Step("POST /delivery-rules", "delivery.rule", _delivery_rule),
    Step("POST /delivery-rules/{rule}/remove", "delivery.rule", _remove_delivery_rule),
    Step("POST /delivery-hooks", "delivery.hook", _delivery_hook),
    Step("POST /delivery-hooks/{hook}/remove", "delivery.hook", _remove_delivery_hook),
    Step("GET /bundles", "bundle.export", _bundle),
    Step("GET /blobs/{digest}", "blob.export", _blob),
    Step("POST /blobs/pack", "blob.export", _blobs),
    Step("GET /datasets/{dataset}/export", "dataset.export", _export_dataset),
    Step("GET /audit/export", "audit.export", _export),
    Step("POST /devices/tokens", "token.create", _token),
    Step("POST /join-tokens/{id}/revoke", "token.revoke", _revoke_token),
    Step("POST /preauthorised", "device.preauthorise", _preauthorise),
    Step("POST /preauthorised/{fingerprint}/remove", "device.preauthorise", _remove_preauthorised),
    Step("POST /collections", "collection.begin", _collect),
    Step("POST /collections/{collection}/cancel", "collection.cancel", _cancel_collection),
    Step("PUT /collection-schedules/{name}", "collection.schedule", _schedule_collection),
    Step("DELETE /collection-schedules/{name}", "collection.unschedule", _unschedule_collection),
    Step("POST /groups", "group.create", _group),
    Step("POST /groups/{group}", "group.change", _change_group),
    Step("POST /groups/{group}/add", "group.add", _add_to_group),
    Step("POST /groups/{group}/remove", "group.remove", _remove_from_group),
    Step("POST /groups/{group}/delete", "group.delete", _delete_group),
    Step("POST /devices/labels", "device.label", _label),
    Step("POST /devices/{name}/inquiries", "device.ask", _ask),
    Step("POST /devices/{name}/quarantine", "device.quarantine", _quarantine),
    Step("POST /devices/{name}/accept", "device.accept", _accept),
    Step("POST /devices/{name}/revoke", "device.revoke", _revoke),
    Step("POST /broker/certificate", "broker.certify", _certify_broker),
    Step("POST /secrets", "secret.set", _secret),
    Step("POST /secrets/remove", "secret.remove", _remove_secret),
    Step("POST /secrets/rotate-key", "secret.rotate_key", _rotate),
    Step("POST /webhooks", "webhook.change", _webhook),
    Step("POST /webhooks/{webhook}/test", "webhook.change", _test_webhook),
    Step("POST /webhooks/{webhook}/messages/{message}/redeliver", "webhook.change", _redeliver),
    Step("POST /webhooks/{webhook}/remove", "webhook.change", _remove_webhook),
    Step("POST /review/policy", "review.policy", _review_policy),
    Step("POST /review/answers", "review.answer", _answer_review),
    Step("POST /review/undo", "review.undo", _undo_review),
    Step("POST /review/export", "review.export", _export_reviews),
    Step("POST /review/labels", "review.answer", _import_labels),
    Step("POST /review/datasets", "review.dataset", _make_of_reviews),
    Step("PUT /review/rules/{name}", "review.rule", _review_rule),
    Step("POST /review/rules/{name}/remove", "review.rule", _remove_review_rule),
    Step("POST /trust/proposals", "trust.proposed", _propose_change),
    Step("POST /trust/proposals/{proposal}/signatures", "trust.signed", _sign),
    Step("POST /trust/proposals/{proposal}/withdraw", "trust.withdrawn", _withdraw_proposal),
)

PEOPLE = {
    "POST /login",
    "POST /login/link",
    "POST /logout",
    "POST /me/password",
    "POST /users",
    "POST /users/{name}/roles",
    "POST /users/{name}/disable",
    "POST /users/{name}/enable",
    "POST /users/{name}/link",
    "POST /users/{name}/remove",
    "POST /tokens",
    "POST /tokens/{token}/revoke",
}
"""Performed by somebody who signs in: see the second test."""

NOT_DECISIONS = {
    "POST /blobs/missing": "a question",
    "POST /review/next": "a place in a queue, for some minutes",
    "POST /datasets/looks": "what an import would find out",
    "POST /datasets/{dataset}/check": "finds out, decides nothing",
    "POST /blobs": "bytes that nothing names yet",
    "PUT /blobs/{digest}": "bytes that nothing names yet",
    "POST /deployments/preview": "a question",
    "POST /runs/claim": "a worker's",
    "POST /runs/{run}/steps": "a worker's",
    "POST /runs/{run}/logs": "a worker's",
    "PUT /runs/{run}/kept/{name}": "a worker's",
    "POST /workers/leave": "a worker's",
    "POST /workers/beat": "a worker's",
    "POST /runs/{run}/finish": "a worker's",
    "PUT /steps/{key}": "a worker's",
    "POST /models": "a worker's: what its run made",
    "POST /devices/{name}/inquiries/{inquiry}/end": "ends a question that is on the trail",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("decisions")
    with running(folder / "root", soak_seconds=0.0) as lineside:
        world = World(lineside, folder / "plates")
        world.folder = folder
        yield world


def _newest(world: World) -> int:
    page = world.client.audit(limit=1)
    return page.entries[0].number if page.entries else 0


def _fits(entry: AuditEntry, step: Step, said: Said) -> bool:
    return (
        entry.action == step.action
        and (entry.actor, entry.by, entry.source) == ("tester", "local", "127.0.0.1")
        and said.subject in entry.subject
        and said.digest in (None, entry.digest)
        and said.why in entry.why
    )


def test_each_decision_leaves_its_row(world: World) -> None:
    lacking = []
    for step in STEPS:
        before = _newest(world)
        said = step.do(world)
        rows = [entry for entry in world.client.audit(limit=1000).entries if entry.number > before]
        if not any(_fits(entry, step, said) for entry in rows):
            lacking.append((step.route, step.action, said, rows))
    assert lacking == []
    assert world.client.verify_audit().findings == ()


def test_a_device_that_joins_is_a_row_in_its_own_name(world: World) -> None:
    (entry,) = world.client.audit(action="device.join", subject="twin-1").entries
    assert (entry.actor, entry.by, entry.source) == ("twin-1", "device", "127.0.0.1")
    assert entry.digest == f"sha256:{world.client.device('twin-1').fingerprint}"


def test_people_and_their_tokens(tmp_path: Path) -> None:
    """Who signs in, who is let in, and what they may do from then on."""
    with locked_house(tmp_path) as house:
        admin, done = house.local(), {}

        def post(route: str, browser: Any = admin, body: Any = None, **names: str) -> Any:
            before = len(house.audit())
            answer = browser.post("/api/v1" + route.format(**names), json=body or {})
            answer.raise_for_status()
            done[f"POST {route}"] = [
                (entry.actor, entry.action, entry.subject, entry.source) for entry in house.audit()[before:]
            ]
            return answer.json() if answer.content else None

        post("/users", body={"name": "ann", "roles": ["operator"]})
        link = post("/users/{name}/link", name="ann")["url"].partition("token=")[2]
        ann = house.browser()
        post("/login/link", ann, {"link": link, "password": PASSWORD})
        post("/me/password", ann, {"current": PASSWORD, "new": PASSWORD + "!"})
        post("/logout", ann)
        post("/login", ann, {"name": "ann", "password": PASSWORD + "!"})
        token = post("/tokens", ann, {"name": "job", "permissions": ["read"], "ttl_seconds": 60})
        post("/tokens/{token}/revoke", ann, token=token["about"]["id"])
        for change, body in (("roles", {"roles": ["viewer"]}), ("disable", None), ("enable", None), ("remove", None)):
            post(f"/users/{{name}}/{change}", body=body, name="ann")
    lacking = {route: rows for route, rows in done.items() if not rows}
    assert lacking == {}
    assert done.keys() == PEOPLE
    for route, rows in done.items():
        by_ann = any(words in route for words in ("/login", "/logout", "/me", "/tokens"))
        for actor, _, subject, source in rows:
            assert (actor, "ann" in subject, source) == ("ann" if by_ann else "local", True, "127.0.0.1"), (route, rows)


def test_no_route_that_changes_something_is_forgotten(world: World) -> None:
    routes = {
        f"{method} {re.sub(r':[a-z]+', '', route.path.removeprefix('/api/v1'))}"
        for route in world.lineside.apps.people.routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/api/v1/")
        for method in route.methods - {"OPTIONS", "HEAD", "GET"}
    }
    known = {step.route for step in STEPS if not step.route.startswith("GET")} | PEOPLE | set(NOT_DECISIONS)
    assert {_shape(route) for route in routes} == {_shape(route) for route in known}


def _shape(route: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", route)


def test_looking_leaves_no_row(world: World) -> None:
    before = _newest(world)
    for look in ("overview", "events", "datasets", "runs", "models", "components", "deployments", "devices", "audit"):
        getattr(world.client, look)()
    world.client.verify_audit()
    assert _newest(world) == before
