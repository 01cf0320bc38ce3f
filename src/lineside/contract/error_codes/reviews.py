"""What can be wrong with reviews of captures."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "review.leased",
        Kind.CONFLICT,
        "Somebody else has the capture {capture} before them.",
        "Take another one: lineside review next",
    ),
    Problem(
        "review.answered",
        Kind.CONFLICT,
        "The capture {capture} takes no answer: it is {standing}.",
        "See what was said: lineside review show {capture}",
    ),
    Problem(
        "review.yours_already",
        Kind.CONFLICT,
        "You have answered on the capture {capture}; a second person shall.",
        "Take another one: lineside review next",
    ),
    Problem(
        "review.nothing_predicted",
        Kind.REFUSED,
        "No model has looked at the capture {capture}, so there is nothing to accept.",
        "Draw boxes, or say that nothing is there: lineside review answer {capture} nothing",
    ),
    Problem(
        "review.boxes_refused",
        Kind.REFUSED,
        "The boxes cannot be taken: {why}.",
        "Give each box a class and a place inside the picture, in pixels.",
    ),
    Problem(
        "review.nothing_to_undo",
        Kind.CONFLICT,
        "{person} has no answer that could be taken back.",
        "See who answered: lineside review stats",
    ),
    Problem(
        "review.not_last",
        Kind.CONFLICT,
        "{other} has answered on the capture {capture} since.",
        "Ask {other} to undo first: lineside review undo",
    ),
    Problem(
        "review.none_to_take",
        Kind.CONFLICT,
        "No reviewed capture waits for the dataset {name}, and there is no version of it.",
        "Review some first: lineside review next",
    ),
    Problem(
        "review.labels_refused",
        Kind.REFUSED,
        "The labels cannot be taken: {why}.",
        "Export captures, label these, and give the file back: lineside review export --to DIR",
    ),
    Problem(
        "labelstudio.refused",
        Kind.REFUSED,
        "Label Studio at {url} answered with {status}: {why}.",
        "Check the address, the project and the access token, then try again.",
    ),
    Problem(
        "labelstudio.unreachable",
        Kind.UNAVAILABLE,
        "Label Studio at {url} cannot be reached: {why}.",
        "Check the address, then try again.",
    ),
)
