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
