"""Models, and the runs that make them."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
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
    Problem(
        "run.lease_lost",
        Kind.CONFLICT,
        "Attempt {attempt} at {run} is over: another has begun, or the run has ended.",
        "Nothing is left to do here; look at it: lineside runs show {run}",
    ),
    Problem(
        "run.command_failed",
        Kind.INTERNAL,
        "The command of the step {step} failed: {why}.",
        "Read what it said: lineside runs logs RUN --step {step}",
    ),
    Problem(
        "run.command_passing",
        Kind.UNAVAILABLE,
        "The command of the step {step} asks for another try: {why}.",
        "Read what it said: lineside runs logs RUN --step {step}",
    ),
    Problem(
        "run.step_invalid",
        Kind.REFUSED,
        "The step {step} cannot be done: {why}.",
        "See docs/loop-yaml.md for what a step says of itself.",
    ),
    Problem(
        "loop.unreadable",
        Kind.REFUSED,
        "{file}, line {line}: {why}.",
        "Mend it; docs/loop-yaml.md says what a loop.yaml holds.",
    ),
    Problem(
        "loop.webhook_refused",
        Kind.UNAUTHENTICATED,
        "The message was not let in: {why}.",
        "Sign it with the loop's secret, as Standard Webhooks says; for a new one: lineside loops apply -f loop.yaml --new-secret",
    ),
    Problem(
        "loop.at_work",
        Kind.CONFLICT,
        "The loop {loop} has one run at a time, and {run} goes on.",
        "Wait for its end or stop it: lineside runs cancel {run}; or start one beside it: lineside runs start -f loop.yaml",
    ),
    Problem(
        "loop.invalid",
        Kind.REFUSED,
        "The loop {loop} makes no sense: {why}.",
        "Mend it, then: lineside loops apply -f loop.yaml",
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
        "check.feed_unknown",
        Kind.REFUSED,
        "{name} is nothing that can be said of how a model is fed.",
        "Say one of: {known}",
    ),
    Problem(
        "check.no_common_label",
        Kind.REFUSED,
        "The dataset's classes ({classes}) are none of the model's labels ({labels}).",
        "Name a dataset the model can be scored on, or import without one.",
    ),
    Problem(
        "training.trainer_unknown",
        Kind.REFUSED,
        "There is no trainer named {name}; installed are: {installed}.",
        "Choose one of them: lineside runs start --trainer NAME",
    ),
    Problem(
        "training.package_missing",
        Kind.REFUSED,
        "The trainer {name} needs the package of that name, which cannot be used here: {why}.",
        "Install it if its licence suits you: pip install 'lineside[{name}]' (docs/trainers.md)",
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
        "training.one_class",
        Kind.REFUSED,
        "All pictures to train on are of the class {label}: there is nothing to tell apart.",
        "Add pictures of another class to the train split.",
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
        "training.init_refused",
        Kind.REFUSED,
        "The trainer {name} takes no starting weights: its files of weights hold code, which would run on the worker.",
        "Leave them out, or choose a trainer that reads weights without code: yolox or libreyolo (docs/trainers.md)",
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
        "training.checkpoint_unreadable", Kind.CORRUPT, "The checkpoint {file} cannot be read: {why}.", "Train again."
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
    Problem("quantize.failed", Kind.REFUSED, "The model {file} cannot be quantized: {why}.", "Ship the fp32 file."),
    Problem(
        "model.name_too_long",
        Kind.REFUSED,
        "The name {name} is too long for a model: with .inference behind it, it could not name a component.",
        "Choose a name of at most {most} characters.",
    ),
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
        "The model's {what} has the shape {seen}; the head {head} and the signature want {wanted}.",
        "Check head, input size and labels of the signature against the model file.",
    ),
    Problem(
        "model.engine_unknown",
        Kind.REFUSED,
        "This runtime has no engine named {engine}; it has {known}.",
        "Choose one of these engines, or install a newer inference component.",
    ),
    Problem(
        "model.engine_missing",
        Kind.MISSING,
        "The engine {engine} is not installed: {why}.",
        "pip install 'lineside[{engine}]'",
    ),
    Problem(
        "model.run_failed",
        Kind.INTERNAL,
        "ONNX Runtime failed on an image: {why}.",
        "Check the model with: python -m lineside.runtime try",
    ),
)
