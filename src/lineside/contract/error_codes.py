"""The table of error codes: one row a code, `area.what_is_wrong`. Add a row here; docs/reference/errors.md is made from it."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

_ROWS = (
    # --- requests and objects -------------------------------------------------------------------------------------
    Problem("request.invalid", Kind.REFUSED, "The request is not valid: {why}.", "See the API reference at /schema."),
    Problem(
        "request.not_found", Kind.MISSING, "There is no {what} named {name}.", "List what exists: lineside {what}s list"
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
    Problem("blob.too_large", Kind.TOO_LARGE, "The upload is over {limit} bytes.", "Send a smaller file."),
    Problem(
        "state.illegal_move",
        Kind.CONFLICT,
        "A {what} cannot go from {current} to {wanted}.",
        "Look at it first: lineside {what}s show",
    ),
    # --- starting up ----------------------------------------------------------------------------------------------
    Problem(
        "start.port_busy",
        Kind.UNAVAILABLE,
        "Port {port} is in use by another program.",
        "Choose another: lineside up --port {suggestion}",
    ),
    Problem("start.root_read_only", Kind.REFUSED, "The root {root} cannot be written.", "Choose another: --root DIR"),
    Problem(
        "start.root_in_use",
        Kind.CONFLICT,
        "Another Lineside process (pid {pid}) uses the root {root}.",
        "Stop it, or choose another: --root DIR",
    ),
    Problem(
        "start.extra_missing",
        Kind.REFUSED,
        "This command needs the extra [{extra}], which is not installed.",
        "pip install 'lineside[{extra}]'",
    ),
    Problem("client.folder_missing", Kind.MISSING, "There is no folder {folder}.", "Name a folder with images and labels."),
    Problem("client.folder_empty", Kind.REFUSED, "The folder {folder} holds no files.", "Name a folder with images and labels."),
    Problem("client.name_not_text", Kind.REFUSED, "The file name {name} is not valid UTF-8.", "Rename the file and import again."),
    Problem("client.unreachable", Kind.UNAVAILABLE, "No control plane answers at {url}.", "Start one: lineside up"),
)

PROBLEMS: dict[str, Problem] = {row.code: row for row in _ROWS}
