"""Datasets, captures and results."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "dataset.path_refused",
        Kind.REFUSED,
        "The path {path} is none inside the folder.",
        "Send paths relative to the folder, with / and without climbing.",
    ),
    Problem(
        "dataset.same_name",
        Kind.REFUSED,
        "{first} and {second} cannot lie in one folder where case does not count.",
        "Rename one of them and import the folder again.",
    ),
    Problem(
        "dataset.name_ambiguous",
        Kind.REFUSED,
        "{file} names {name}, which may be {first} or {second}.",
        "Rename one of them, or write the path from the folder, and import the folder again.",
    ),
    Problem(
        "dataset.listed_twice",
        Kind.REFUSED,
        "{file} lists {path}, which was listed before.",
        "List each image once and import the folder again.",
    ),
    Problem(
        "dataset.blob_missing",
        Kind.CONFLICT,
        "{count} files were not sent, {path} among them.",
        "Send them first: lineside datasets import DIR",
    ),
    Problem(
        "dataset.empty",
        Kind.REFUSED,
        "There is nothing to learn from: {why}.",
        "Name a folder with images and labels: lineside datasets import DIR",
    ),
    Problem(
        "dataset.format_unknown",
        Kind.REFUSED,
        "No file of {files} holds labels in a form that is known.",
        "See docs/formats.md for what is recognised.",
    ),
    Problem(
        "dataset.format_unnamed",
        Kind.REFUSED,
        "{name} is no format of datasets; there are {names}.",
        "Name one of them: lineside datasets export ID --format coco --to DIR",
    ),
    Problem(
        "dataset.file_unreadable",
        Kind.REFUSED,
        "{file} cannot be read: {why}.",
        "Repair the file and import the folder again.",
    ),
    Problem(
        "dataset.file_too_large",
        Kind.TOO_LARGE,
        "{file} is over {limit}, more than is read of such a file.",
        "Divide it into several files, or write the labels a line an image (docs/formats.md: SageMaker manifest, CSV).",
    ),
    Problem(
        "dataset.busy",
        Kind.UNAVAILABLE,
        "Too much is being imported at once; {what} has waited {seconds} s for its turn.",
        "Try again in {after} s; what was sent and looked at is not done again.",
    ),
    Problem(
        "dataset.export_unfinished",
        Kind.UNAVAILABLE,
        "The labels of {done} of {total} images are written so far.",
        "Ask again: it goes on from there. lineside datasets export does so by itself.",
    ),
    Problem(
        "dataset.mostly_bad",
        Kind.REFUSED,
        "{bad} of {total} images are missing, broken or lose labels ({reasons}).",
        "Repair the labels and import the folder again; docs/datasets.md says what each code means.",
    ),
    Problem(
        "dataset.field_empty",
        Kind.CONFLICT,
        "There is nothing yet for the field set of {name}: {reasons}.",
        "Label captures, import them, and name that version: lineside datasets field {name} --from DATASET",
    ),
    Problem(
        "capture.invalid",
        Kind.REFUSED,
        "A capture of {device} was not taken: {why}.",
        "Its schema is docs/schemas/capture.json; see what the device runs: lineside devices show {device}",
    ),
    Problem(
        "capture.version_unread",
        Kind.FORBIDDEN,  # agents from before versions were agreed on keep what is forbidden, and delete what is refused
        "A capture of {device} was not taken: it is in version {version} of the capture schema, and this control plane reads {read}.",
        "Upgrade the older of the two, this control plane or the device: lineside devices show {device}",
    ),
    Problem(
        "capture.too_large",
        Kind.TOO_LARGE,
        "A capture of {size} bytes is over the limit of {limit} bytes.",
        "Keep smaller images.",
    ),
    Problem(
        "capture.id_taken",
        Kind.CONFLICT,
        "The capture {id} was announced before with other contents.",
        "Give each capture an id of its own.",
    ),
    Problem(
        "capture.budget_spent",
        Kind.TOO_MANY,
        "{device} has announced {count} captures in a day, as many as it may.",
        "Try again tomorrow, or raise captures_per_day.",
    ),
    Problem(
        "collection.no_devices",
        Kind.CONFLICT,
        "The group {group} has no accepted device that could be asked.",
        "Look who is in it: lineside devices list --group {group}",
    ),
    Problem(
        "collection.over",
        Kind.CONFLICT,
        "The collection {id} is {state} already.",
        "Begin another one: lineside captures collect --group GROUP --count N --until TIME",
    ),
    Problem(
        "ticket.unknown",
        Kind.MISSING,
        "There is no upload ticket {ticket} for this device.",
        "Ask for one: POST /device/v1/captures",
    ),
    Problem(
        "ticket.expired",
        Kind.FORBIDDEN,
        "The upload ticket {ticket} expired at {expired_at}.",
        "Announce the capture again for a new one.",
    ),
    Problem(
        "ticket.used", Kind.CONFLICT, "The upload ticket {ticket} was used.", "There is nothing left to send with it."
    ),
    Problem(
        "ticket.wrong_size",
        Kind.CORRUPT,
        "The upload has {actual} bytes, {expected} were announced.",
        "Send the whole file that was announced.",
    ),
    Problem(
        "ticket.wrong_offset",
        Kind.CONFLICT,
        "{received} bytes of this upload are there, it cannot go on at {offset}.",
        "Announce the capture again: its ticket says how many were received.",
    ),
    Problem(
        "ticket.superseded",
        Kind.CONFLICT,
        "Another connection goes on with this upload.",
        "Announce the capture again: its ticket says how many were received.",
    ),
    Problem(
        "ticket.nothing_put",
        Kind.MISSING,
        "Nothing was put into the bucket with the upload ticket {ticket}.",
        "Put the image there first, or send it to the ticket's own address.",
    ),
    Problem(
        "result.invalid",
        Kind.REFUSED,
        "A result of {device} was not taken: {why}.",
        "Its schema is docs/schemas/result.json; see what the device runs: lineside devices show {device}",
    ),
    Problem(
        "result.version_unread",
        Kind.REFUSED,
        "A result of {device} was not taken: it is in version {version} of the result schema, and this control plane reads {read}.",
        "Upgrade the older of the two, this control plane or the device: lineside devices show {device}",
    ),
)
