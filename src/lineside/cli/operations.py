"""Every operation of people's API: its method of the client, and the command that offers it.

Three front doors, one list. A test holds the API's routes, the client's methods and the commands against it.
"""

from __future__ import annotations

from typing import NamedTuple


class Operation(NamedTuple):
    """One operation. `command` is None where only programs need it; `reason` says why."""

    method: str  # of lineside.client.Client
    route: str  # HTTP method and path below /api/v1
    command: str | None
    reason: str = ""


_CONTENT = "content of files travels inside other commands: datasets import, runs start --init, captures show --save"
_WORKER = "spoken by the worker that runs the pipeline"

OPERATIONS = (
    Operation("overview", "GET /overview", "overview"),
    Operation("events", "GET /events", "events list"),
    Operation("blobs_missing", "POST /blobs/missing", None, _CONTENT),
    Operation("put_blob", "PUT /blobs/{digest}", None, _CONTENT),
    Operation("put_blob_file", "PUT /blobs/{digest}", None, _CONTENT),
    Operation("get_blob", "GET /blobs/{digest}", None, _CONTENT),
    Operation("fetch_blob", "GET /blobs/{digest}", None, _CONTENT),
    Operation("import_dataset", "POST /datasets", "datasets import"),
    Operation("datasets", "GET /datasets", "datasets list"),
    Operation("dataset", "GET /datasets/{dataset}", "datasets show"),
    Operation("dataset_images", "GET /datasets/{dataset}/images", "datasets images"),
    Operation("start_run", "POST /runs", "runs start"),
    Operation("runs", "GET /runs", "runs list"),
    Operation("run", "GET /runs/{run}", "runs show"),
    Operation("run_curves", "GET /runs/{run}/curves", "runs curves"),
    Operation("cancel_run", "POST /runs/{run}/cancel", "runs cancel"),
    Operation("claim_run", "POST /runs/claim", None, _WORKER),
    Operation("report_step", "POST /runs/{run}/steps", None, _WORKER),
    Operation("finish_run", "POST /runs/{run}/finish", None, _WORKER),
    Operation("cached_step", "GET /steps/{key}", None, _WORKER),
    Operation("cache_step", "PUT /steps/{key}", None, _WORKER),
    Operation("register_model", "POST /models", None, _WORKER),
    Operation("import_model", "POST /models/import", "models import"),
    Operation("models", "GET /models", "models list"),
    Operation("model", "GET /models/{name}/{version}", "models show"),
    Operation("approve_model", "POST /models/{name}/{version}/approve", "models approve"),
    Operation("propose_model", "POST /models/{name}/{version}/proposal", "models approve"),
    Operation("withdraw_model", "POST /models/{name}/{version}/withdraw", "models withdraw"),
    Operation("reject_model", "POST /models/{name}/{version}/reject", "models reject"),
    Operation("components", "GET /components", "components list"),
    Operation("component", "GET /components/{name}/{version}", "components show"),
    Operation("propose_component", "POST /components/{name}/{version}/proposal", "components sign"),
    Operation("add_component", "POST /components", "components add"),
    Operation("deploy", "POST /deployments", "deployments create"),
    Operation("deployments", "GET /deployments", "deployments list"),
    Operation("deployment", "GET /deployments/{deployment}", "deployments show"),
    Operation("bundle", "GET /bundles", "deployments bundle"),
    Operation("rollouts", "GET /rollouts", "rollouts list"),
    Operation("rollout", "GET /rollouts/{rollout}", "rollouts show"),
    Operation("abort_rollout", "POST /rollouts/{rollout}/abort", "rollouts abort"),
    Operation("create_join_token", "POST /devices/tokens", "devices token"),
    Operation("devices", "GET /devices", "devices list"),
    Operation("device", "GET /devices/{name}", "devices show"),
    Operation("accept_device", "POST /devices/{name}/accept", "devices accept"),
    Operation("quarantine_device", "POST /devices/{name}/quarantine", "devices quarantine"),
    Operation("revoke_device", "POST /devices/{name}/revoke", "devices revoke"),
    Operation("join_tokens", "GET /join-tokens", "devices tokens"),
    Operation("revoke_join_token", "POST /join-tokens/{token}/revoke", "devices revoke-token"),
    Operation("preauthorised", "GET /preauthorised", "devices preauthorised"),
    Operation("preauthorise", "POST /preauthorised", "devices preauthorise"),
    Operation("remove_preauthorised", "POST /preauthorised/{fingerprint}/remove", "devices unpreauthorise"),
    Operation("ask_device", "POST /devices/{name}/inquiries", "devices logs"),
    Operation("inquiry", "GET /devices/{name}/inquiries/{inquiry}", "devices diagnose"),
    Operation("end_inquiry", "POST /devices/{name}/inquiries/{inquiry}/end", "devices logs"),
    Operation("trust", "GET /trust", "trust show"),
    Operation("trust", "GET /trust", "trust keys"),
    Operation("proposals", "GET /trust/proposals", "trust proposals"),
    Operation("proposal", "GET /trust/proposals/{proposal}", "trust proposal show"),
    Operation("propose_change", "POST /trust/proposals", "trust init"),
    Operation("propose_change", "POST /trust/proposals", "trust key add"),
    Operation("propose_change", "POST /trust/proposals", "trust key remove"),
    Operation("propose_change", "POST /trust/proposals", "trust threshold"),
    Operation("propose_change", "POST /trust/proposals", "trust rotate"),
    Operation("propose_change", "POST /trust/proposals", "trust renew"),
    Operation("add_signatures", "POST /trust/proposals/{proposal}/signatures", "trust sign"),
    Operation("withdraw_proposal", "POST /trust/proposals/{proposal}/withdraw", "trust withdraw"),
    Operation("trust_metadata", "GET /trust/metadata/{name}", "trust sign"),
    Operation("results", "GET /results", "results tail"),
    Operation("device_exports", "GET /devices/{name}/exports", "devices exports"),
    Operation("captures", "GET /captures", "captures list"),
    Operation("capture", "GET /captures/{capture}", "captures show"),
    Operation("lineage", "GET /lineage/{result_id}", "lineage"),
    Operation("capture_lineage", "GET /captures/{capture}/lineage", "captures lineage"),
    Operation("secrets", "GET /secrets", "secrets list"),
    Operation("secret", "GET /secrets/details", "secrets show"),
    Operation("set_secret", "POST /secrets", "secrets set"),
    Operation("remove_secret", "POST /secrets/remove", "secrets remove"),
    Operation("rotate_secrets_key", "POST /secrets/rotate-key", "secrets rotate-key"),
    Operation("audit", "GET /audit", "audit list"),
    Operation("verify_audit", "GET /audit/verify", "audit verify"),
    Operation("export_audit", "GET /audit/export", "audit export"),
    Operation("login", "POST /login", "login"),
    Operation("use_link", "POST /login/link", "login"),
    Operation("logout", "POST /logout", "logout"),
    Operation("whoami", "GET /me", "whoami"),
    Operation("change_password", "POST /me/password", "users password"),
    Operation("users", "GET /users", "users list"),
    Operation("create_user", "POST /users", "users create"),
    Operation("set_roles", "POST /users/{name}/roles", "users roles"),
    Operation("disable_user", "POST /users/{name}/disable", "users disable"),
    Operation("enable_user", "POST /users/{name}/enable", "users enable"),
    Operation("remove_user", "POST /users/{name}/remove", "users remove"),
    Operation("link_user", "POST /users/{name}/link", "users link"),
    Operation("tokens", "GET /tokens", "tokens list"),
    Operation("create_token", "POST /tokens", "tokens create"),
    Operation("revoke_token", "POST /tokens/{token}/revoke", "tokens revoke"),
)
