"""What the runtime meets on a device."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
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
        "image.no_memory",
        Kind.TOO_LARGE,
        "Decoding the image of {width} x {height} pixels takes about {needed} MB, and {free} MB may be used for it.",
        "Cut or scale the image first, save it as a JPEG that is not progressive, or give the runtime more memory.",
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
        "runtime.no_status",
        Kind.MISSING,
        "No runtime has written its status in {path}.",
        "Name the work folder of a run: <root>/work/COMPONENT on a device.",
    ),
    Problem(
        "capture.not_blurred",
        Kind.REFUSED,
        "An image was not blurred, and so it was not stored: {why}.",
        "Try the program or hook of capture.blur on an image by hand.",
    ),
    Problem(
        "capture.no_hook",
        Kind.MISSING,
        "There is no hook {name} that blurs: {why}.",
        "Install the package that brings it, with an entry point of the group lineside.blurs.",
    ),
    Problem(
        "capture.no_key",
        Kind.MISSING,
        "Captures cannot be sealed with the certificate {path}: {why}.",
        "Join the device, or set capture.sealed to false.",
    ),
    Problem(
        "model.no_memory",
        Kind.TOO_LARGE,
        "The model {name} needs about {needed} MB; {used} MB of {limit} MB are in use ({source}). What runs goes on.",
        "Unload another model, or give the component more memory: memory_mb in its configuration, or its group's limit.",
    ),
    Problem(
        "model.refused",
        Kind.CONFLICT,
        "The model in {folder} does not decide: {why} The model before goes on.",
        "{next} Then deploy a version that is mended, or the one before: lineside deployments create --group GROUP --model NAME:VERSION",
    ),
    Problem(
        "model.shadow_off",
        Kind.CONFLICT,
        "The candidate in the shadow looks at nothing: {why}",
        "Mend or remove `shadow` in the component's configuration; decisions go on.",
    ),
    Problem("model.not_loaded", Kind.MISSING, "No model {name} is loaded; loaded are: {known}.", "Load it first."),
    Problem(
        "model.in_use",
        Kind.CONFLICT,
        "The model {name} decides for a source: it cannot be unloaded.",
        "Load another one in its place, or take its route out of the component's configuration.",
    ),
    Problem(
        "model.nothing_kept",
        Kind.CONFLICT,
        "The model {name} has nothing to go back to: the soak of its last swap is over, or there was none.",
        "Load the folder of the version that is wanted.",
    ),
    Problem(
        "config.invalid",
        Kind.REFUSED,
        "The configuration {path} cannot be followed: {why}.",
        "Correct the component's configuration in the deployment.",
    ),
    Problem(
        "source.folder_missing",
        Kind.UNAVAILABLE,
        "There is no folder {folder}.",
        "Mount or make it: the source goes on by itself.",
    ),
    Problem(
        "source.away",
        Kind.UNAVAILABLE,
        "{url} cannot be read: {why}.",
        "Look at its power, network and address: it is tried again by itself.",
    ),
    Problem(
        "source.silent",
        Kind.UNAVAILABLE,
        "{url} has sent no frame for {seconds} s.",
        "Look at the camera: it is opened again by itself.",
    ),
    Problem(
        "source.frozen",
        Kind.UNAVAILABLE,
        "{url} has sent the same picture for {seconds} s.",
        "Restart the camera; if nothing moves before it, raise frozen_after.",
    ),
    Problem(
        "source.broken",
        Kind.INTERNAL,
        "The source broke: {why}.",
        "It is started again by itself; see the component's log.",
    ),
    Problem("source.no_video", Kind.REFUSED, "There is no picture in {url}: {why}.", "Name a video file or a camera."),
    Problem(
        "runtime.busy",
        Kind.TOO_MANY,
        "All {room} places for requests of {source} are taken.",
        "Ask again a moment later.",
    ),
    Problem("runtime.stopping", Kind.UNAVAILABLE, "The runtime stops.", "Ask again once it runs."),
    Problem(
        "runtime.no_answer",
        Kind.UNAVAILABLE,
        "No decision came within {seconds} s.",
        "See what the runtime is busy with: its status, or lineside runtime bench.",
    ),
    Problem(
        "request.invalid",
        Kind.REFUSED,
        "The request is none: {why}.",
        'Send {{"filepath": "FILE"}}.',
    ),
    Problem(
        "request.path_forbidden",
        Kind.FORBIDDEN,
        "{path} is in none of the folders that requests may name.",
        "Name a file below one of them, or add its folder to `folders` of the source.",
    ),
    Problem(
        "request.bus_forbidden",
        Kind.FORBIDDEN,
        "The local bus refuses {operation} on {topic} to {component}: {why}",
        "Allow it in the configuration of {component}: accessControl, aws.greengrass.ipc.pubsub, operations aws.greengrass#{operation}, resources {topic}.",
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
    Problem(
        "api.not_loopback",
        Kind.REFUSED,
        "The local API listens on this machine alone, and {host} is not a loopback address.",
        "Leave api.host out, and give api.port; for other machines, publish results over MQTT.",
    ),
    Problem("api.port_invalid", Kind.REFUSED, "{port} is not a port.", "Give api.port as 1 to 65535, or 0 for none."),
    Problem(
        "api.unusable",
        Kind.UNAVAILABLE,
        "The local API cannot listen at {address}: {why}.",
        "Free the address, or choose another port: api.port in the component's configuration.",
    ),
    Problem(
        "rules.invalid",
        Kind.REFUSED,
        "The rule {rule} cannot be followed: {key} is wrong: {why}.",
        "Correct the rule in the component's configuration: docs/runtime.md, Sinks and rules.",
    ),
    Problem(
        "sink.invalid",
        Kind.REFUSED,
        "The sink {sink} cannot be used: {key} is wrong: {why}.",
        "Correct the sink in the component's configuration: docs/runtime.md, Sinks and rules.",
    ),
    Problem(
        "sink.away",
        Kind.UNAVAILABLE,
        "The sink {sink} takes no results: {why}.",
        "Look at where it sends to: it is tried again by itself, and results of a durable sink wait on the disk.",
    ),
    Problem(
        "spool.dropped",
        Kind.TOO_LARGE,
        "Results were lost, the oldest first, because a durable sink took none until the spool was full: {count} since the start.",
        "Bring the sink back that is away, or set its `durable` to false: lineside runtime status --work FOLDER",
    ),
    Problem(
        "telemetry.invalid",
        Kind.REFUSED,
        "Telemetry of {device} was not taken: {why}.",
        "Run the same version of Lineside on the device as here.",
    ),
    Problem(
        "drift.invalid",
        Kind.REFUSED,
        "A window of drift of {device} was not taken: {why}.",
        "Run the same version of Lineside on the device as here, and look at its clock: lineside devices diagnose {device}",
    ),
    Problem(
        "drift.few_windows",
        Kind.CONFLICT,
        "{stream} has told of too few days to make them what is usual: {windows} windows since {since}; {enough} are needed, from {days} days.",
        "Mute its alarm until then: lineside drift mute NUMBER --hours 72",
    ),
    Problem(
        "drift.cleared",
        Kind.CONFLICT,
        "The alarm {number} is cleared already.",
        "See what is raised now: lineside drift list",
    ),
)
