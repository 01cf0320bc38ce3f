"""What any request may meet: bad input, missing things, blobs and pictures."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem("request.invalid", Kind.REFUSED, "The request is not valid: {why}.", "See the API reference at /schema."),
    Problem(
        "request.not_found",
        Kind.MISSING,
        "There is no {what} named {name}.",
        "{where}",
        "See [what there is none of](#what-there-is-none-of).",
    ),
    Problem("request.no_such_path", Kind.MISSING, "There is nothing at {path}.", "See the API reference at /schema."),
    Problem("request.no_such_page", Kind.MISSING, "There is no page at {path}.", "Begin at the overview."),
    Problem(
        "request.wrong_method", Kind.REFUSED, "{path} does not answer {method}.", "See the API reference at /schema."
    ),
    Problem("request.too_large", Kind.TOO_LARGE, "The request is too large.", "Send less at once."),
    Problem(
        "request.cross_site",
        Kind.FORBIDDEN,
        "This request came from another site or host name ({why}).",
        "Open the address that `lineside up` printed.",
    ),
    Problem(
        "internal.unexpected",
        Kind.INTERNAL,
        "Something failed that Lineside does not explain yet: {why}.",
        "See the control plane's log under its root.",
    ),
    Problem(
        "blob.digest_mismatch",
        Kind.CORRUPT,
        "The bytes sent have digest {actual}, not {expected}.",
        "Send the file again.",
    ),
    Problem(
        "blob.stalled", Kind.UNAVAILABLE, "Nothing more of the upload arrived for {seconds} s.", "Send the file again."
    ),
    Problem("blob.too_large", Kind.TOO_LARGE, "The upload is over {limit} bytes.", "Send a smaller file."),
    Problem(
        "state.illegal_move",
        Kind.CONFLICT,
        "A {what} cannot go from {current} to {wanted}.",
        "Look at it first: lineside {what}s show",
    ),
    Problem(
        "picture.unreadable",
        Kind.MISSING,
        "The object {digest} is not a picture that can be shown.",
        "Look at another.",
    ),
)


WHERE = {
    "alias": "List what exists: lineside models list",
    "blob": "It is not here, or not any more. Give what needs it again, for example lineside datasets import DIR",
    "capture": "List what exists: lineside captures list",
    "capture in review": "List what exists: lineside review list",
    "class": "List what exists: lineside datasets list",
    "collection": "List what exists: lineside captures collections",
    "component": "List what exists: lineside components list",
    "dataset": "List what exists: lineside datasets list",
    "delivery": "List what exists: lineside deliveries list",
    "deployment": "List what exists: lineside deployments list",
    "device": "List what exists: lineside devices list",
    "drift alarm": "List what exists: lineside drift list",
    "drift stream": "List what exists: lineside drift streams",
    "file": "Look at the path, and what is there.",
    "fp32 file of the model": "See which files it has: lineside models show NAME:VERSION",
    "hook": "List what exists: lineside deliveries hooks list",
    "inquiry": "Ask the device again: answers are kept for an hour.",
    "join token": "List what exists: lineside devices tokens",
    "loop": "List what exists: lineside loops list",
    "message": "List what was sent: lineside webhooks show ID",
    "metadata file": "See what is published: lineside trust show",
    "model": "List what exists: lineside models list",
    "picture": "List what exists: lineside captures list",
    "preauthorised key": "List what exists: lineside devices preauthorised",
    "proposal": "List what exists: lineside trust proposals",
    "result": "See what devices decide: lineside results tail",
    "result of the capture": "List what exists: lineside captures list",
    "rollout": "List what exists: lineside rollouts list",
    "rule": "List what exists: lineside deliveries rules list",
    "rule of reviews": "List what exists: lineside review rules list",
    "run": "List what exists: lineside runs list",
    "schedule": "List what exists: lineside captures schedules",
    "signed target": "See what is published: lineside trust show",
    "step": "See its steps: lineside runs show RUN",
    "target": "See what is published: lineside trust show",
    "webhook": "List what exists: lineside webhooks list",
}
"""The next step of `request.not_found`, by what there is none of."""
