"""The table of error codes: one row a code, `area.what_is_wrong`. Add a row here; docs/reference/errors.md is made from it."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

_ROWS = (
    # --- requests and objects -------------------------------------------------------------------------------------
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
    # --- runs -----------------------------------------------------------------------------------------------------
    Problem(
        "run.step_failed",
        Kind.INTERNAL,
        "The step {step} failed: {why}.",
        "See the worker's log under the root of the control plane.",
    ),
    Problem(
        "run.worker_died",
        Kind.INTERNAL,
        "The worker died again and again while it did this run: {why}.",
        "See the worker's log, then start the run again: lineside runs start",
    ),
    Problem("run.kind_unknown", Kind.REFUSED, "There is no kind of run named {kind}.", "Use one of: {known}"),
    Problem(
        "run.request_incomplete", Kind.REFUSED, "A run of kind {kind} needs {what}.", "Start it again with {what}."
    ),
    Problem(
        "split.leak",
        Kind.REFUSED,
        "Pictures of the group {group} lie in {splits} ({count} such groups): the score would come from what was seen in training.",
        "Give each group one split and import the data again.",
    ),
    Problem(
        "split.empty",
        Kind.REFUSED,
        "No picture of {dataset} is in the split {split}.",
        "Give pictures to that split, or leave the split out, and import the data again.",
    ),
    Problem(
        "check.input_shape",
        Kind.REFUSED,
        "The model's input has shape {seen}; {wanted} is wanted.",
        "Export the model with a fixed input of one picture.",
    ),
    Problem(
        "check.no_common_label",
        Kind.REFUSED,
        "The dataset's classes ({classes}) are none of the model's labels ({labels}).",
        "Name a dataset the model can be scored on, or import without one.",
    ),
    # --- training -------------------------------------------------------------------------------------------------
    Problem(
        "training.trainer_unknown",
        Kind.REFUSED,
        "There is no trainer named {name}; installed are: {installed}.",
        "Choose one of them: lineside runs start --trainer NAME",
    ),
    Problem(
        "training.parameter_unknown",
        Kind.REFUSED,
        "The trainer has no parameter {name}; it has: {known}.",
        "Take the parameter out, or correct its name.",
    ),
    Problem(
        "training.parameter_invalid",
        Kind.REFUSED,
        "The parameter {name} cannot be {value}: {why}.",
        "Change its value, or leave it out for the default.",
    ),
    Problem(
        "training.no_images",
        Kind.REFUSED,
        "There is no picture to train on.",
        "Give the dataset a train split: lineside datasets import DIR",
    ),
    Problem(
        "training.no_boxes",
        Kind.REFUSED,
        "None of the {images} pictures to train on has a box.",
        "Label some objects in the train split first.",
    ),
    Problem(
        "training.image_unreadable",
        Kind.CORRUPT,
        "The training picture {path} cannot be read: {why}.",
        "Import the dataset again without it.",
    ),
    Problem(
        "training.init_unreadable",
        Kind.CORRUPT,
        "The starting weights {file} cannot be read: {why}.",
        "Give an ONNX file or a torch state dictionary (.pth).",
    ),
    Problem(
        "training.init_mismatch",
        Kind.REFUSED,
        "The starting weights {file} do not fit this network: {why}.",
        "Choose the trainer and parameters they were made with, or train without them.",
    ),
    Problem(
        "training.diverged",
        Kind.INTERNAL,
        "The loss is not a number any more in epoch {epoch}.",
        "Lower the parameter learning_rate.",
    ),
    Problem(
        "training.checkpoint_unreadable",
        Kind.CORRUPT,
        "The checkpoint {file} cannot be read: {why}.",
        "Train again.",
    ),
    Problem(
        "export.differs",
        Kind.INTERNAL,
        "The exported model differs from the trained one by {difference}, more than {limit}.",
        "Tell the people who build Lineside, with the run's log.",
    ),
    Problem(
        "quantize.no_tensors",
        Kind.REFUSED,
        "There is no picture to calibrate the INT8 model on.",
        "Give the dataset a train split.",
    ),
    Problem(
        "quantize.failed",
        Kind.REFUSED,
        "The model {file} cannot be quantized: {why}.",
        "Ship the fp32 file.",
    ),
    # --- starting up ----------------------------------------------------------------------------------------------
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
        "picture.unreadable",
        Kind.MISSING,
        "The object {digest} is not a picture that can be shown.",
        "Look at another.",
    ),
    Problem(
        "client.folder_missing", Kind.MISSING, "There is no folder {folder}.", "Name a folder with images and labels."
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
    Problem("client.unreachable", Kind.UNAVAILABLE, "No control plane answers at {url}.", "Start one: lineside up"),
    # --- the agent on a device ------------------------------------------------------------------------------------
    Problem(
        "agent.not_joined",
        Kind.REFUSED,
        "The directory {root} belongs to no joined device.",
        "Join first: lineside agent join URL --token TOKEN --ca-sha256 HASH --root {root}",
    ),
    Problem(
        "agent.root_in_use",
        Kind.CONFLICT,
        "Another agent (pid {pid}) runs on the root {root}.",
        "Stop it, or choose another: --root DIR",
    ),
    Problem(
        "agent.root_read_only", Kind.REFUSED, "The agent's root {root} cannot be written.", "Choose another: --root DIR"
    ),
    Problem(
        "join.ca_mismatch",
        Kind.FORBIDDEN,
        "The control plane at {url} shows a CA with SHA-256 {actual}, not {expected}.",
        "Compare --ca-sha256 with what `lineside up` printed; do not join if it differs.",
    ),
    Problem(
        "join.already_joined",
        Kind.CONFLICT,
        "The root {root} already belongs to device {device}.",
        "Join again with --force, or choose another: --root DIR",
    ),
    Problem(
        "join.bad_name",
        Kind.REFUSED,
        "{name} cannot be the name of a device.",
        "Use letters, digits, '_', '.' and '-', at most 63: --name NAME",
    ),
    Problem(
        "link.unreachable",
        Kind.UNAVAILABLE,
        "The control plane at {url} does not answer: {why}.",
        "Is it up? The agent tries again by itself; what runs keeps running.",
    ),
    Problem(
        "link.answer",
        Kind.UNAVAILABLE,
        "The control plane answered {status} to {path}.",
        "See the control plane's log; the agent tries again by itself.",
    ),
    Problem(
        "trust.rollback",
        Kind.CORRUPT,
        "Signed metadata is older than what this device has already seen: {why}.",
        "Restore the control plane's newest metadata; what runs keeps running.",
    ),
    Problem(
        "trust.expired",
        Kind.CORRUPT,
        "Signed metadata has expired: {why}.",
        "Sign new metadata on the control plane; check the device's clock.",
    ),
    Problem(
        "trust.signature",
        Kind.CORRUPT,
        "Metadata is not signed by enough trusted keys: {why}.",
        "Sign it with the right key on the control plane.",
    ),
    Problem(
        "trust.metadata",
        Kind.CORRUPT,
        "Signed metadata is missing or wrong: {why}.",
        "Check the control plane's TUF repository.",
    ),
    Problem(
        "trust.unknown_target",
        Kind.CORRUPT,
        "No trusted role has signed {target}.",
        "Release it first: lineside models approve NAME:VERSION",
    ),
    Problem(
        "trust.wrong_role",
        Kind.FORBIDDEN,
        "This device does not accept {target}: it is signed for twins only.",
        "Release it first: lineside models approve NAME:VERSION",
    ),
    Problem(
        "trust.recipe_mismatch",
        Kind.CORRUPT,
        "The recipe of {name} is not the one that was signed: {why}.",
        "Publish the component again; what runs keeps running.",
    ),
    Problem(
        "artifact.digest_mismatch",
        Kind.CORRUPT,
        "The artifact {name} arrived with digest {actual}, not {expected}.",
        "Restore the file on the control plane; the agent tries again by itself.",
    ),
    Problem(
        "store.no_space",
        Kind.UNAVAILABLE,
        "{name} needs {needed} bytes and {free} are free below {root}.",
        "Free some space on the device; the agent tries again by itself.",
    ),
    Problem(
        "archive.invalid",
        Kind.CORRUPT,
        "The archive {name} cannot be unpacked: {why}.",
        "Build the component's archive again.",
    ),
    Problem(
        "archive.path_escape",
        Kind.CORRUPT,
        "The archive {name} holds the path {path}, which leads outside it.",
        "Build the component's archive again, with relative paths only.",
    ),
    Problem(
        "archive.link",
        Kind.CORRUPT,
        "The archive {name} holds {path}, which is a link or a special file.",
        "Build the component's archive again, with regular files only.",
    ),
    Problem(
        "archive.too_large",
        Kind.CORRUPT,
        "The archive {name} unpacks to more than {limit} bytes.",
        "Make the archive smaller.",
    ),
    Problem(
        "archive.too_many",
        Kind.CORRUPT,
        "The archive {name} holds {count} entries, more than {limit}.",
        "Make the archive smaller.",
    ),
    Problem("recipe.invalid", Kind.REFUSED, "The recipe cannot be read: {why}.", "See docs/reference/recipes.md."),
    Problem(
        "recipe.unsupported",
        Kind.REFUSED,
        "The recipe of {name} asks for something Lineside does not do: {what}.",
        "Change the recipe; see docs/reference/recipes.md.",
    ),
    Problem(
        "recipe.no_platform",
        Kind.REFUSED,
        "No manifest of {name} is for this device ({platform}).",
        "Add a manifest for that platform to the recipe.",
    ),
    Problem(
        "recipe.version",
        Kind.REFUSED,
        "{text} is not a version or a version requirement.",
        "Write versions as 1.2.3 and requirements as >=1.2.3, ^1.2.3 or ~1.2.3.",
    ),
    Problem(
        "recipe.dependency_missing",
        Kind.REFUSED,
        "{name} needs {dependency}, which the deployment does not have.",
        "Add {dependency} to the deployment.",
    ),
    Problem(
        "recipe.dependency_version",
        Kind.REFUSED,
        "{name} needs {dependency} {requirement}, and the deployment has {version}.",
        "Deploy versions that fit together.",
    ),
    Problem(
        "recipe.dependency_cycle",
        Kind.REFUSED,
        "Components depend on one another in a circle: {cycle}.",
        "Remove one of these dependencies.",
    ),
    Problem(
        "component.install_failed",
        Kind.INTERNAL,
        "The {step} step of {name} failed: {why}.",
        "See the component's log on the device: {log}",
    ),
    Problem(
        "component.broken",
        Kind.INTERNAL,
        "{name} failed {errors} times in a row, the last time with {why}.",
        "See the component's log on the device: {log}",
    ),
    Problem(
        "component.not_ready",
        Kind.INTERNAL,
        "{name} was not ready within {seconds} s.",
        "See the component's log on the device: {log}",
    ),
    Problem(
        "component.probe_failed",
        Kind.INTERNAL,
        "The probe of {name} says that it will never be ready: {why}.",
        "See the component's log on the device: {log}",
    ),
    Problem(
        "component.golden_mismatch",
        Kind.INTERNAL,
        "{name} does not reproduce its model's golden inputs on this device.",
        "Compare the runtime's version and processor; see the log: {log}",
    ),
    Problem(
        "deploy.interrupted",
        Kind.INTERNAL,
        "The device stopped {times} times while trying revision {revision}.",
        "See the device's logs; send another revision to try again.",
    ),
    # --- components, deployments, rollouts ------------------------------------------------------------------------
    Problem(
        "trust.key_damaged",
        Kind.INTERNAL,
        "The signing key {file} cannot be read: {why}.",
        "Restore the control plane's keys folder from a backup.",
    ),
    Problem(
        "trust.metadata_damaged",
        Kind.INTERNAL,
        "The control plane's signed metadata {file} is damaged: {why}.",
        "Restore the control plane's tuf folder from a backup; nothing new is signed until then.",
    ),
    Problem(
        "trust.target_exists",
        Kind.CONFLICT,
        "{path} is signed already, with other content.",
        "Give the component a new version.",
    ),
    Problem(
        "trust.no_role",
        Kind.REFUSED,
        "No role signs the path {path}.",
        "Use models/NAME, apps/NAME or staging/NAME.",
    ),
    Problem(
        "component.unknown",
        Kind.MISSING,
        "There is no component named {name}.",
        "List what exists: lineside components list",
    ),
    Problem(
        "component.unknown_version",
        Kind.MISSING,
        "The component {name} has no version {version}; it has {versions}.",
        "Name one of these versions.",
    ),
    Problem(
        "artifact.not_desired",
        Kind.FORBIDDEN,
        "The desired document of {device} names no component with the artifact {digest}.",
        "Deploy the component to the device's group first.",
    ),
    Problem(
        "artifact.range",
        Kind.REFUSED,
        "The range {wanted} is outside the artifact's {size} bytes.",
        "Ask for the whole artifact.",
    ),
    Problem(
        "deployment.no_group",
        Kind.REFUSED,
        "The deployment names no group: {why}.",
        "Give groupName, or a targetArn that ends in thinggroup/NAME.",
    ),
    Problem(
        "deployment.unknown_group",
        Kind.MISSING,
        "No device and no join token is in the group {group}.",
        "Make a join token for it: lineside devices token --group {group}",
    ),
    Problem(
        "deployment.not_released",
        Kind.CONFLICT,
        "{name} {version} is not released: {state}.",
        "{command}",
    ),
    Problem(
        "deployment.dependency",
        Kind.REFUSED,
        "{name} {version} needs {dependency}, which the deployment does not have.",
        "Add {dependency} to the deployment.",
    ),
    Problem(
        "deployment.policy",
        Kind.REFUSED,
        "{policy} is not a failure handling policy.",
        "Use ROLLBACK or DO_NOTHING.",
    ),
    Problem(
        "rollout.not_as_wanted",
        Kind.CONFLICT,
        "{device} calls itself healthy, but {name} should be {wanted} at the signed digest and is {found}.",
        "Look at what it reports: lineside devices show {device}",
    ),
    # --- joining and access ---------------------------------------------------------------------------------------
    Problem(
        "join.token_unknown", Kind.FORBIDDEN, "No such join token was made here.", "Make one: lineside devices token"
    ),
    Problem(
        "join.token_expired",
        Kind.FORBIDDEN,
        "The join token expired at {expired}.",
        "Make a new one: lineside devices token",
    ),
    Problem(
        "join.token_used",
        Kind.FORBIDDEN,
        "The join token was good for {uses} device(s), and they have joined.",
        "Make a new one: lineside devices token",
    ),
    Problem(
        "join.twin_mismatch",
        Kind.FORBIDDEN,
        "This join token is for {whom} only.",
        "Make another: lineside devices token [--twin]",
    ),
    Problem(
        "join.name_taken",
        Kind.CONFLICT,
        "Another device has joined as {name}.",
        "Choose another name: lineside agent join … --name NAME",
    ),
    Problem(
        "join.csr_invalid",
        Kind.REFUSED,
        "The certificate signing request is not valid: {why}.",
        "Join again: lineside agent join",
    ),
    Problem(
        "auth.token_missing",
        Kind.UNAUTHENTICATED,
        "This address needs a device's access token.",
        "POST /device/v1/token with a client assertion.",
    ),
    Problem(
        "auth.token_invalid",
        Kind.UNAUTHENTICATED,
        "The access token was not made here.",
        "POST /device/v1/token again.",
    ),
    Problem(
        "auth.token_expired", Kind.UNAUTHENTICATED, "The access token has expired.", "POST /device/v1/token again."
    ),
    Problem(
        "auth.assertion_invalid",
        Kind.UNAUTHENTICATED,
        "The client assertion is not valid: {why}.",
        "Join again: lineside agent join",
    ),
    Problem(
        "auth.assertion_expired",
        Kind.UNAUTHENTICATED,
        "The client assertion's times do not fit: here it is {now}, and it may be good for {limit} s, with {leeway} s for a wrong clock.",
        "Set the device's clock.",
    ),
    Problem(
        "auth.assertion_replayed",
        Kind.UNAUTHENTICATED,
        "A client assertion of {device} was used a second time.",
        "Sign a new one with a new jti.",
    ),
    Problem(
        "auth.device_revoked",
        Kind.FORBIDDEN,
        "The device {device} was revoked.",
        "Join again with a new token: lineside agent join",
    ),
    Problem(
        "auth.not_yours", Kind.FORBIDDEN, "This belongs to another device than {device}.", "Ask for what is your own."
    ),
    Problem(
        "access.key_damaged",
        Kind.INTERNAL,
        "The key file {file} cannot be used: {why}.",
        "Restore R/keys from a backup.",
    ),
    # --- datasets -------------------------------------------------------------------------------------------------
    Problem(
        "dataset.path_refused",
        Kind.REFUSED,
        "The path {path} leads out of the folder.",
        "Send paths relative to the folder, with / and without climbing.",
    ),
    Problem(
        "dataset.same_name",
        Kind.REFUSED,
        "{first} and {second} are one name where case does not count.",
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
        "None of the {files} files holds labels as COCO, Pascal VOC or YOLO write them.",
        "See docs/datasets.md for what is recognised.",
    ),
    Problem(
        "dataset.file_unreadable",
        Kind.REFUSED,
        "{file} cannot be read: {why}.",
        "Repair the file and import the folder again.",
    ),
    Problem(
        "dataset.mostly_bad",
        Kind.REFUSED,
        "{bad} of {total} images are missing, broken or lose labels ({reasons}).",
        "Repair the labels and import the folder again; docs/datasets.md says what each code means.",
    ),
    # --- models ---------------------------------------------------------------------------------------------------
    Problem(
        "model.incomplete",
        Kind.REFUSED,
        "The model {name} cannot be registered: {why}.",
        "Register it with one chosen variant, its metrics and its blobs.",
    ),
    Problem(
        "model.not_approvable",
        Kind.CONFLICT,
        "{model} cannot be approved: {why}.",
        "Look at it first: lineside models show {model}",
    ),
    Problem(
        "model.reason_missing",
        Kind.REFUSED,
        "A rejection needs a reason.",
        "lineside models reject {model} --reason TEXT",
    ),
    Problem(
        "model.changed",
        Kind.CONFLICT,
        "{model} is {current} by now, no longer {expected}.",
        "Look at it first: lineside models show {model}",
    ),
    # --- what devices send back -----------------------------------------------------------------------------------
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
        "result.invalid",
        Kind.REFUSED,
        "A result of {device} was not taken: {why}.",
        "See docs/reference for the schema lineside.result/1.",
    ),
    # --- commands and the demo ------------------------------------------------------------------------------------
    Problem(
        "cli.bad_document",
        Kind.REFUSED,
        "The file {file} is no deployment document: {why}.",
        "See the Greengrass V2 deployment format; or give --group and --model.",
    ),
    Problem("cli.file_unreadable", Kind.REFUSED, "The file {file} cannot be read: {why}.", "Name a file that can."),
    Problem(
        "cli.not_released",
        Kind.CONFLICT,
        "The model {model} is not signed for devices yet.",
        "Approve it: lineside models approve {model}",
    ),
    Problem("start.failed", Kind.UNAVAILABLE, "The control plane did not start: {why}", "See {log}"),
    Problem(
        "demo.control_plane_gone",
        Kind.UNAVAILABLE,
        "The control plane has been away for too long.",
        "Start it: lineside up --root {root}; its log is {log}",
    ),
    Problem("demo.waited_in_vain", Kind.UNAVAILABLE, "Waited {seconds} s for {what}, in vain.", "Look at {where}"),
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
        "lineside rollouts show {rollout} --url {url}",
    ),
    # --- running models -------------------------------------------------------------------------------------------
    Problem(
        "image.unsupported",
        Kind.REFUSED,
        "This is not a JPEG, PNG, BMP, WebP or TIFF image: {why}.",
        "Give an image in one of these formats.",
    ),
    Problem("image.unreadable", Kind.CORRUPT, "The {format} image is damaged: {why}.", "Copy the image again."),
    Problem(
        "image.too_large",
        Kind.TOO_LARGE,
        "The image has {width} x {height} pixels, over the limit of {limit}.",
        "Cut or scale the image first.",
    ),
    Problem(
        "model.missing", Kind.MISSING, "The file {path} cannot be read: {why}.", "Name a folder or file that exists."
    ),
    Problem(
        "model.description_invalid",
        Kind.CORRUPT,
        "{path} does not describe a model: {why}.",
        "Install the model's component again.",
    ),
    Problem(
        "model.unreadable",
        Kind.CORRUPT,
        "ONNX Runtime cannot load the model file: {why}.",
        "Export the model again, with operators that ONNX Runtime has.",
    ),
    Problem(
        "model.digest_mismatch",
        Kind.CORRUPT,
        "{path} has digest {actual}, not {expected}.",
        "Install the model's component again.",
    ),
    Problem(
        "model.signature_invalid",
        Kind.REFUSED,
        "The model's signature cannot be followed: {why}.",
        "Correct signature.json; see the reference of Signature.",
    ),
    Problem(
        "model.head_unknown",
        Kind.REFUSED,
        "This runtime has no head named {head}; it has {known}.",
        "Choose one of these heads, or install a newer inference component.",
    ),
    Problem(
        "model.shape_unknown",
        Kind.REFUSED,
        "The model's {what} has the shapes {seen}; the head {head} and the signature want {wanted}.",
        "Check head, input size and labels of the signature against the model file.",
    ),
    Problem(
        "model.run_failed",
        Kind.INTERNAL,
        "ONNX Runtime failed on an image: {why}.",
        "Check the model with: python -m lineside.runtime try",
    ),
    Problem("image.missing", Kind.MISSING, "The image {path} cannot be read: {why}.", "Name a file that exists."),
    Problem(
        "image.file_too_large",
        Kind.TOO_LARGE,
        "The file has {size} bytes, over the limit of {limit}.",
        "Compress the image, or take it out of the folder.",
    ),
    Problem(
        "golden.unreadable", Kind.CORRUPT, "{path} is no golden set: {why}.", "Install the model's component again."
    ),
    Problem(
        "golden.mismatched",
        Kind.CONFLICT,
        "The model does not reproduce its golden set on this device; on {image}: {difference}.",
        "Keep the version before, and compare this device's runtime with the twin's.",
    ),
    Problem(
        "config.invalid",
        Kind.REFUSED,
        "The configuration {path} cannot be followed: {why}.",
        "Correct the component's configuration in the deployment.",
    ),
    Problem(
        "mqtt.topic_forbidden",
        Kind.FORBIDDEN,
        "The device {device} may not publish to the topic {topic}.",
        "Choose a topic outside lineside/v1, without wildcards.",
    ),
    Problem(
        "mqtt.tls_unusable",
        Kind.REFUSED,
        "The broker's CA or the device's certificate cannot be used: {why}.",
        "Join the device again: lineside agent join",
    ),
)

PROBLEMS: dict[str, Problem] = {row.code: row for row in _ROWS}
