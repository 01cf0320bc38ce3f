"""What any request may meet: bad input, missing things, blobs and pictures."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem("request.invalid", Kind.REFUSED, "The request is not valid: {why}.", "See the API reference at /schema."),
    Problem(
        "request.not_found", Kind.MISSING, "There is no {what} named {name}.", "List what exists: lineside {what}s list"
    ),
    Problem("request.no_such_path", Kind.MISSING, "There is nothing at {path}.", "See the API reference at /schema."),
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
