"""Starting up, and talking to a control plane from the command line."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "start.port_busy",
        Kind.UNAVAILABLE,
        "Port {port} is in use by another program.",
        "Choose another: lineside up {flag} {suggestion}",
    ),
    Problem("start.setting_invalid", Kind.REFUSED, "A setting is not valid: {why}.", "See docs/reference/settings.md."),
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
    Problem(
        "client.folder_missing", Kind.MISSING, "There is no folder {folder}.", "Name a folder with images and labels."
    ),
    Problem(
        "client.folder_taken",
        Kind.CONFLICT,
        "{folder} holds files of something else.",
        "Name a folder that is new or empty: lineside datasets export ID --format coco --to DIR",
    ),
    Problem(
        "client.folder_empty",
        Kind.REFUSED,
        "The folder {folder} holds no files.",
        "Name a folder with images and labels.",
    ),
    Problem(
        "client.name_not_text",
        Kind.REFUSED,
        "The file name {name} is not valid UTF-8.",
        "Rename the file and import again.",
    ),
    Problem(
        "client.unreachable",
        Kind.UNAVAILABLE,
        "No control plane answers at {url}.",
        "Start one: lineside up; or name one that runs with --root or --url.",
    ),
    Problem(
        "cli.root_not_up",
        Kind.UNAVAILABLE,
        "No control plane runs on the root {root}.",
        "Start it: lineside up --root {root}; or name another with --root or --url.",
    ),
    Problem(
        "cli.bad_document",
        Kind.REFUSED,
        "The file {file} is no deployment document: {why}.",
        "See the Greengrass V2 deployment format; or give --group and --model.",
    ),
    Problem("cli.file_unwritable", Kind.REFUSED, "The file {file} cannot be written: {why}.", "Name another with -o."),
    Problem("cli.file_unreadable", Kind.REFUSED, "The file {file} cannot be read: {why}.", "Name a file that can."),
    Problem(
        "cli.not_released",
        Kind.CONFLICT,
        "The model {model} is not signed for devices yet.",
        "Approve it: lineside models approve {model}",
    ),
    Problem(
        "start.not_open",
        Kind.REFUSED,
        "People's API may not listen on {host} yet: {why}.",
        "{step}",
        "Add --tls own, or start it without --host and choose a password by the link it prints: lineside up",
    ),
    Problem(
        "start.tls_invalid",
        Kind.REFUSED,
        "People's API cannot speak TLS: {why}.",
        "Give --tls own, or --tls-cert FILE --tls-key FILE (PEM, no passphrase).",
    ),
    Problem("start.failed", Kind.UNAVAILABLE, "The control plane did not start: {why}", "See {log}"),
    Problem(
        "demo.control_plane_gone",
        Kind.UNAVAILABLE,
        "The control plane has been away for too long.",
        "Start it: lineside up --root {root}; its log is {log}",
    ),
    Problem("demo.waited_in_vain", Kind.UNAVAILABLE, "Waited {seconds} s for {what}, in vain.", "Look at {where}"),
    Problem(
        "demo.only_rendered",
        Kind.REFUSED,
        "The story {story} renders its own pictures: it has to know what is on them.",
        "Leave --data and --init out.",
    ),
    Problem(
        "demo.told_before",
        Kind.CONFLICT,
        "The line of {root} has changed before, and its devices know it.",
        "Give another --root, or none.",
    ),
    Problem("demo.render_failed", Kind.INTERNAL, "The tags could not be rendered: {why}", "See {log}"),
    Problem("demo.run_failed", Kind.INTERNAL, "The run {run} failed: {why}.", "See {log}"),
    Problem(
        "demo.twin_failed",
        Kind.CONFLICT,
        "The twin could not make {model} work.",
        "See {log}, and: lineside rollouts list",
    ),
    Problem(
        "demo.not_approved",
        Kind.CONFLICT,
        "The model {model} was not approved: {why}.",
        "Train another: lineside runs start",
    ),
    Problem("demo.join_failed", Kind.UNAVAILABLE, "The device {device} could not join: {why}", "See {log}"),
    Problem(
        "demo.rollout_failed",
        Kind.CONFLICT,
        "The rollout {rollout} did not succeed: {why}.",
        "lineside rollouts show {rollout} --root {root}",
    ),
)
