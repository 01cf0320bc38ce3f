"""What is known of a component, when two probes of it overlap."""

from __future__ import annotations

from lineside.agent.supervision.standing import Standing


def test_the_answer_of_a_probe_that_was_begun_earlier_does_not_take_the_place_of_a_later_ones() -> None:
    standing = Standing(lambda: None)
    standing.heard({"model": "tags:1"}, 10.0)
    standing.heard({"model": "tags:2"}, 12.0)
    standing.heard({"model": "tags:1"}, 11.0)
    assert standing.probe == {"model": "tags:2"}
    standing.heard({"model": "tags:3"}, 12.0)
    assert standing.probe == {"model": "tags:3"}
