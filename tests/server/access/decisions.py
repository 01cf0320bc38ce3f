"""Who may use which route: every decision, written down a second time and by hand.

The tests beside this file hold the real routes against it, so a new route fails until somebody has decided here.
"""

from __future__ import annotations

import enum

from lineside.contract.people import Permission

READ, OPERATE, APPROVE, ADMINISTER, WORK = (
    Permission.READ,
    Permission.OPERATE,
    Permission.APPROVE,
    Permission.ADMINISTER,
    Permission.WORK,
)
ANYBODY: frozenset[Permission] = frozenset()
SIGNED_IN = frozenset({READ, OPERATE, APPROVE, ADMINISTER, WORK})

ROLES: dict[str, frozenset[Permission] | None] = {
    "nobody": None,
    "viewer": frozenset({READ}),
    "operator": frozenset({READ, OPERATE}),
    "approver": frozenset({READ, APPROVE}),
    "admin": frozenset({READ, OPERATE, APPROVE, ADMINISTER}),
    "worker": frozenset({READ, WORK}),
    "token of an admin that may only read": frozenset({READ}),
    "token of an admin for a worker elsewhere": frozenset({READ, WORK}),
    "token of an operator who is only a viewer now": frozenset({READ}),
    "token that has expired": None,
    "token of somebody who was disabled": None,
    "session that has ended": None,
    "device": None,
}
"""What each caller of the walk may do at people's API, once more: this is not computed from the code."""

_PEOPLE = {
    ANYBODY: """
        POST /api/v1/login
        POST /hooks/{name:str}
        POST /loop-hooks/{name:str}
        POST /api/v1/login/link
        GET /login
        POST /login
        GET /login/oidc
        GET /login/oidc/callback
        GET /static/{file_path:path}
        HEAD /static/{file_path:path}
        GET /welcome
        POST /welcome
    """,
    SIGNED_IN: """
        POST /api/v1/logout
        GET /api/v1/me
        POST /api/v1/me/password
        GET /api/v1/tokens
        POST /api/v1/tokens
        POST /api/v1/tokens/{token:str}/revoke
        POST /logout
        GET /me
        POST /me/password
        POST /me/tokens
        POST /me/tokens/{token:str}/revoke
    """,
    frozenset({READ}): """
        GET /api/v1/adoption
        GET /api/v1/adoption/{name:str}
        GET /api/v1/audit
        GET /api/v1/audit/export
        GET /api/v1/audit/verify
        GET /api/v1/blobs/{digest:str}
        POST /api/v1/blobs/pack
        GET /api/v1/broker
        GET /api/v1/bundles
        GET /api/v1/captures
        GET /api/v1/captures/export
        GET /api/v1/collection-schedules
        GET /api/v1/collections
        GET /api/v1/collections/{collection:str}
        GET /api/v1/captures/{capture:str}
        GET /api/v1/captures/{capture:str}/lineage
        GET /api/v1/review
        GET /api/v1/review/stats
        GET /api/v1/review/rules
        GET /api/v1/review/policy
        GET /api/v1/review/captures/{capture:str}
        GET /api/v1/review/captures/{capture:str}/alike
        GET /api/v1/components
        GET /api/v1/components/{name:str}/{version:str}
        GET /api/v1/datasets
        GET /api/v1/datasets/{dataset:str}
        GET /api/v1/datasets/{dataset:str}/diff/{other:str}
        GET /api/v1/datasets/{dataset:str}/export
        GET /api/v1/datasets/{dataset:str}/images
        GET /api/v1/datasets/{dataset:str}/stats
        GET /api/v1/deliveries
        GET /api/v1/deliveries/{delivery:str}
        GET /api/v1/delivery-hooks
        GET /api/v1/delivery-rules
        GET /api/v1/deployments
        POST /api/v1/deployments/preview
        GET /api/v1/deployments/{deployment:str}
        GET /api/v1/devices
        GET /api/v1/devices/{name:str}
        GET /api/v1/devices/{name:str}/exports
        GET /api/v1/devices/{name:str}/inquiries/{inquiry:str}
        GET /api/v1/devices/{name:str}/telemetry
        GET /api/v1/drift/alarms
        GET /api/v1/drift/alarms/{number:int}
        GET /api/v1/drift/streams
        GET /api/v1/drift/streams/{stream:str}
        GET /api/v1/field-accuracy
        GET /drift
        GET /drift/alarms/{number:int}
        GET /drift/streams/{stream:str}
        GET /devices/{name:str}/drift
        GET /api/v1/events
        GET /api/v1/groups
        GET /api/v1/groups/{group:str}
        GET /api/v1/join-tokens
        GET /api/v1/lineage/{result_id:int}
        GET /api/v1/measures
        GET /api/v1/models
        GET /api/v1/models/compare
        GET /api/v1/models/{name:str}
        GET /api/v1/models/{name:str}/aliases
        GET /api/v1/models/{name:str}/aliases/{alias:str}/history
        GET /api/v1/models/{name:str}/{version:int}
        GET /api/v1/models/{name:str}/{version:int}/card
        GET /api/v1/models/{name:str}/{version:int}/card/history
        GET /api/v1/models/{name:str}/{version:int}/twin-test
        GET /api/v1/overview
        GET /api/v1/preauthorised
        GET /api/v1/results
        GET /api/v1/rollouts
        GET /api/v1/rollouts/{rollout:str}
        GET /api/v1/rollouts/{rollout:str}/devices
        GET /api/v1/loops
        GET /api/v1/loops/{name:str}
        GET /api/v1/runs
        GET /api/v1/runs/{run:str}
        GET /api/v1/runs/{run:str}/curves
        GET /api/v1/runs/{run:str}/logs
        GET /api/v1/workers
        GET /api/v1/secrets
        GET /api/v1/secrets/details
        GET /api/v1/steps/{key:str}
        GET /api/v1/trust
        GET /api/v1/trust/metadata/{name:str}
        GET /api/v1/trust/proposals
        GET /api/v1/trust/proposals/{proposal:str}
        GET /
        GET /adoption
        GET /adoption/{name:str}
        GET /audit
        GET /audit/state
        GET /captures
        GET /captures/of/{device:str}
        GET /collections
        GET /collections/{collection:str}
        GET /captures/{capture:str}/lineage
        GET /review
        GET /review/captures
        GET /components
        GET /components/{name:str}/{version:str}
        GET /datasets
        GET /datasets/{dataset:str}
        GET /datasets/{dataset:str}/checks
        GET /datasets/{dataset:str}/diff/{other:str}
        GET /datasets/{dataset:str}/figures
        GET /datasets/thumbnails/{digest:str}
        GET /devices
        GET /devices/{name:str}
        GET /devices/{name:str}/answers/{inquiry:str}
        GET /devices/{name:str}/last-result
        GET /events
        GET /groups
        GET /groups/{group:str}
        GET /joining
        GET /lineage/{result_id:int}
        GET /models
        GET /models/compare
        GET /models/{name:str}
        GET /models/{name:str}/{version:int}
        GET /models/{name:str}/{version:int}/card
        GET /models/{name:str}/{version:int}/evaluation
        GET /models/{name:str}/{version:int}/twin-test
        GET /models/{name:str}/{version:int}/measures
        GET /pictures/{digest:str}
        GET /rollouts
        GET /rollouts/{rollout:str}
        GET /loops
        GET /runs
        GET /runs/{run:str}
        GET /schema
        GET /schema/openapi.json
        GET /schema/{path:str}
        GET /deliveries
        GET /deliveries/{delivery:str}
        GET /secrets
        GET /secrets/details
        GET /trust
        GET /trust/proposals/{proposal:str}
    """,
    frozenset({OPERATE}): """
        POST /api/v1/drift/alarms/{number:int}/acknowledge
        POST /api/v1/drift/alarms/{number:int}/mute
        POST /api/v1/drift/rebase
        POST /drift/alarms/{number:int}/acknowledge
        POST /drift/alarms/{number:int}/mute
        POST /drift/streams/{stream:str}/rebase
        POST /api/v1/components
        POST /api/v1/components/{name:str}/{version:str}/proposal
        POST /api/v1/datasets
        POST /api/v1/datasets/{dataset:str}/check
        POST /api/v1/field-sets
        POST /api/v1/review/next
        POST /api/v1/review/answers
        POST /api/v1/review/undo
        POST /api/v1/review/policy
        POST /api/v1/review/export
        POST /api/v1/review/labels
        POST /api/v1/review/datasets
        PUT /api/v1/review/rules/{name:str}
        POST /api/v1/review/rules/{name:str}/remove
        POST /datasets/{dataset:str}/checks
        POST /datasets/{dataset:str}/field
        POST /review/datasets
        POST /api/v1/datasets/looks
        POST /api/v1/deliveries
        POST /api/v1/deliveries/{delivery:str}/cancel
        POST /api/v1/delivery-rules
        POST /api/v1/delivery-rules/{rule:str}/remove
        POST /deliveries/{delivery:str}/cancel
        POST /api/v1/deployments
        POST /api/v1/devices/tokens
        POST /api/v1/devices/labels
        DELETE /api/v1/collection-schedules/{name:str}
        POST /api/v1/collections
        POST /api/v1/collections/{collection:str}/cancel
        PUT /api/v1/collection-schedules/{name:str}
        POST /api/v1/groups
        POST /api/v1/groups/{group:str}
        POST /api/v1/groups/{group:str}/add
        POST /api/v1/groups/{group:str}/delete
        POST /api/v1/groups/{group:str}/remove
        POST /api/v1/devices/{name:str}/accept
        POST /api/v1/devices/{name:str}/inquiries
        POST /api/v1/devices/{name:str}/inquiries/{inquiry:str}/end
        POST /api/v1/devices/{name:str}/quarantine
        POST /api/v1/devices/{name:str}/revoke
        POST /api/v1/join-tokens/{token:str}/revoke
        POST /api/v1/models/import
        POST /api/v1/models/{name:str}/aliases/{alias:str}
        POST /api/v1/models/{name:str}/aliases/{alias:str}/remove
        POST /api/v1/models/{name:str}/{version:int}/card
        POST /api/v1/models/{name:str}/{version:int}/evaluate
        POST /api/v1/models/{name:str}/{version:int}/retest
        POST /api/v1/models/{name:str}/{version:int}/retire
        POST /api/v1/preauthorised
        POST /api/v1/preauthorised/{fingerprint:str}/remove
        POST /api/v1/rollouts/{rollout:str}/pause
        POST /api/v1/rollouts/{rollout:str}/resume
        POST /api/v1/rollouts/{rollout:str}/abort
        POST /api/v1/rollouts/{rollout:str}/rollback
        POST /api/v1/rollouts/{rollout:str}/retry
        POST /api/v1/loops/{name:str}/remove
        POST /api/v1/loops/{name:str}/start
        POST /api/v1/runs
        POST /runs/{run:str}/cancel
        POST /runs/{run:str}/again
        PUT /api/v1/loops/{name:str}
        POST /api/v1/runs/{run:str}/cancel
        POST /devices/{name:str}/accept
        POST /devices/{name:str}/answers/{inquiry:str}/end
        POST /devices/{name:str}/diagnosis
        POST /devices/{name:str}/live
        POST /devices/{name:str}/logs
        POST /devices/{name:str}/quarantine
        POST /devices/{name:str}/revoke
        POST /devices/{name:str}/labels
        POST /devices/{name:str}/labels/remove
        POST /collections
        POST /collections/{collection:str}/cancel
        POST /groups
        POST /groups/{group:str}
        POST /groups/{group:str}/add
        POST /groups/{group:str}/delete
        POST /groups/{group:str}/remove
        POST /joining/preauthorised
        POST /joining/preauthorised/{fingerprint:str}/remove
        POST /joining/tokens
        POST /models/{name:str}/aliases
        POST /models/{name:str}/aliases/{alias:str}/remove
        POST /models/{name:str}/{version:int}/card
        POST /models/{name:str}/{version:int}/retest
        POST /models/{name:str}/{version:int}/retire
        POST /joining/tokens/{token:str}/revoke
        POST /rollouts/{rollout:str}/pause
        POST /rollouts/{rollout:str}/resume
        POST /rollouts/{rollout:str}/abort
        POST /rollouts/{rollout:str}/rollback
        POST /rollouts/{rollout:str}/retry
    """,
    frozenset({OPERATE, WORK}): """
        POST /api/v1/blobs
        POST /api/v1/blobs/missing
        PUT /api/v1/blobs/{digest:str}
    """,
    frozenset({WORK}): """
        POST /api/v1/models
        POST /api/v1/runs/claim
        GET /api/v1/runs/{run:str}/kept
        GET /api/v1/runs/{run:str}/kept/{name:path}
        POST /api/v1/runs/{run:str}/finish
        POST /api/v1/runs/{run:str}/logs
        POST /api/v1/runs/{run:str}/steps
        POST /api/v1/workers/beat
        POST /api/v1/workers/leave
        PUT /api/v1/runs/{run:str}/kept/{name:path}
        PUT /api/v1/steps/{key:str}
    """,
    frozenset({APPROVE}): """
        POST /api/v1/models/{name:str}/{version:int}/approve
        POST /api/v1/models/{name:str}/{version:int}/proposal
        POST /api/v1/models/{name:str}/{version:int}/reject
        POST /api/v1/models/{name:str}/{version:int}/withdraw
        POST /models/{name:str}/{version:int}/approve
        POST /models/{name:str}/{version:int}/reject
        POST /models/{name:str}/{version:int}/withdraw
    """,
    frozenset({APPROVE, ADMINISTER}): """
        POST /api/v1/trust/proposals/{proposal:str}/signatures
        POST /api/v1/trust/proposals/{proposal:str}/withdraw
        POST /trust/proposals/{proposal:str}/withdraw
    """,
    frozenset({ADMINISTER}): """
        POST /api/v1/broker/certificate
        POST /api/v1/delivery-hooks
        POST /api/v1/delivery-hooks/{hook:str}/remove
        POST /api/v1/secrets
        POST /api/v1/secrets/remove
        POST /api/v1/secrets/rotate-key
        POST /api/v1/trust/proposals
        GET /api/v1/webhooks
        POST /api/v1/webhooks
        GET /api/v1/webhooks/{webhook:str}
        POST /api/v1/webhooks/{webhook:str}/messages/{message:str}/redeliver
        POST /api/v1/webhooks/{webhook:str}/remove
        POST /api/v1/webhooks/{webhook:str}/test
        GET /webhooks
        GET /webhooks/{webhook:str}
        POST /webhooks/{webhook:str}/messages/{message:str}/redeliver
        POST /webhooks/{webhook:str}/test
        GET /api/v1/users
        POST /api/v1/users
        POST /api/v1/users/{name:str}/disable
        POST /api/v1/users/{name:str}/enable
        POST /api/v1/users/{name:str}/link
        POST /api/v1/users/{name:str}/remove
        POST /api/v1/users/{name:str}/roles
        POST /secrets
        POST /secrets/remove
        GET /users
        POST /users
        POST /users/{name:str}/link
        POST /users/{name:str}/roles
        POST /users/{name:str}/{change:str}
    """,
}


class Device(enum.Enum):
    """Which devices a route of the devices' API is for."""

    STRANGER = "no token"  # anybody
    STANDING = "accepted or quarantined"
    ACCEPTED = "accepted"


_DEVICES = {
    Device.STRANGER: """
        GET /device/v1/ca
        GET /device/v1/crl
        POST /device/v1/join
        POST /device/v1/token
    """,
    Device.STANDING: """
        GET /device/v1/desired
        GET /device/v1/inquiries
        GET /device/v1/targets/{target:path}
        GET /device/v1/tuf/{name:str}
        POST /device/v1/inquiries/{inquiry:str}/parts
        POST /device/v1/reports
    """,
    Device.ACCEPTED: """
        GET /device/v1/artifacts/{digest:str}
        GET /device/v1/secrets
        GET /device/v1/collections
        POST /device/v1/collections/{collection:str}/kept
        POST /device/v1/captures
        POST /device/v1/uploads/{ticket:str}/done
        POST /device/v1/certificate
        POST /device/v1/exports
        PUT /device/v1/exports/{ticket:str}
        PUT /device/v1/uploads/{ticket:str}
    """,
}


PEOPLE = {route.strip(): who for who, routes in _PEOPLE.items() for route in routes.strip().splitlines()}
DEVICES = {route.strip(): who for who, routes in _DEVICES.items() for route in routes.strip().splitlines()}
