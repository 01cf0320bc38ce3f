"""Topics, filters and the tree that finds them; resources of policies."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.agent.bus import topics
from lineside.agent.bus.resources import Resource

LEVELS = st.sampled_from(["a", "b", "", "cc"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)
FILTERS = st.builds(
    lambda levels, rest: "/".join(levels + rest),
    st.lists(LEVELS | st.just("+"), min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
)


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/", True),
        ("a/+/c", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a/b", True),
        ("+", "a/b", False),
        ("+/b", "a/b", True),
    ],
)
def test_filters_match_as_in_mqtt(pattern: str, topic: str, expected: bool) -> None:
    assert topics.matches(pattern, topic) is expected
    assert bool(_tree(pattern).matching(topic)) is expected


@given(st.lists(FILTERS, max_size=8), TOPICS)
def test_the_tree_finds_what_matches_and_nothing_else(patterns: list[str], topic: str) -> None:
    tree: topics.Filters[int] = topics.Filters()
    for number, pattern in enumerate(patterns):
        tree.add(pattern, number)
    expected = [number for number, pattern in enumerate(patterns) if topics.matches(pattern, topic)]
    assert sorted(tree.matching(topic)) == expected
    for number, pattern in enumerate(patterns):
        tree.remove(pattern, number)
        tree.remove(pattern, number)
    assert list(tree) == []
    assert tree._root.below == {}


@given(FILTERS, FILTERS, TOPICS)
def test_what_is_covered_matches_no_more(pattern: str, narrower: str, topic: str) -> None:
    if topics.covers(pattern, narrower) and topics.matches(narrower, topic):
        assert topics.matches(pattern, topic)


def test_covering_is_not_matching_letters() -> None:
    assert topics.covers("a/#", "a/+/b")
    assert topics.covers("a/+", "a/b")
    assert not topics.covers("a/+", "a/#")
    assert not topics.covers("a/b", "a/+")


@pytest.mark.parametrize("text", ["", "a+", "a#", "a/#/b", "a\0", "a" * 1025, "a/b+/c"])
def test_these_are_no_filters(text: str) -> None:
    assert not topics.is_filter(text)


@pytest.mark.parametrize("text", ["", "a/+", "#", "a*b", "a\0"])
def test_these_are_no_topics(text: str) -> None:
    assert not topics.is_topic(text)


@pytest.mark.parametrize(
    ("pattern", "resource", "plain", "mqtt"),
    [
        ("*", "anything/at/all", True, True),
        ("a/*", "a/b/c", True, True),
        ("a/*/c", "a/b/x/c", True, True),
        ("a*z", "az", True, True),
        ("a?c", "abc", False, False),
        ("a?c", "a?c", True, True),
        ("a/+", "a/b", False, True),
        ("a/+", "a/+", True, True),
        ("a/+", "a/#", False, False),
        ("a/+", "a/b/c", False, False),
        ("a/#", "a/b/c", False, True),
        ("a/#", "a", False, True),
        ("a/#", "a/#", True, True),
        ("a#", "ab", False, False),
        ("a+/b", "axx/b", False, False),
        ("#", "a/b", False, True),
        ("+/b", "a/b", False, True),
        ("${*}", "*", True, True),
        ("${*}", "x", False, False),
        ("a${?}${$}", "a?$", True, True),
        ("${x}", "${x}", True, True),
        ("a/*/#", "a/b/c/d", False, True),
        ("", "", True, True),
        ("a", "A", False, False),
    ],
)
def test_resources_of_policies(pattern: str, resource: str, plain: bool, mqtt: bool) -> None:
    assert Resource(pattern, mqtt=False).matches(resource) is plain
    assert Resource(pattern, mqtt=True).matches(resource) is mqtt


@given(st.text("ab*/", max_size=8), st.text("ab/", max_size=10))
def test_stars_match_as_a_regular_expression_does(pattern: str, resource: str) -> None:
    expected = re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), resource) is not None
    assert Resource(pattern, mqtt=False).matches(resource) is expected


def test_a_cruel_pattern_takes_no_longer_than_its_length_says() -> None:
    assert not Resource("a*" * 200 + "b", mqtt=False).matches("a" * 1000)


def _tree(pattern: str) -> topics.Filters[str]:
    tree: topics.Filters[str] = topics.Filters()
    tree.add(pattern, pattern)
    return tree
