"""Why the control plane or its broker cannot be reached from a device."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "capture.no_common_version",
        Kind.CONFLICT,
        "Captures wait on the disk: the control plane takes version {taken} of their schema, one is in version {version}, and this agent knows {known}.",
        "Upgrade the older of the two, the control plane or this device; they are sent by themselves then: lineside devices show NAME",
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
        "link.dns",
        Kind.UNAVAILABLE,
        "The name {host} of the control plane cannot be looked up: {why}.",
        "Check the device's name servers (/etc/resolv.conf); the agent tries again by itself.",
    ),
    Problem(
        "link.refused",
        Kind.UNAVAILABLE,
        "Nothing accepts connections at {url}.",
        "Start the control plane, or open the firewall's port; the agent tries again by itself.",
    ),
    Problem(
        "link.timeout",
        Kind.UNAVAILABLE,
        "{url} did not answer in time.",
        "Check the route, a firewall that drops packets, or the control plane's load; the agent tries again by itself.",
    ),
    Problem(
        "link.proxy",
        Kind.UNAVAILABLE,
        "The proxy {proxy} does not let us through to {url}: {why}.",
        "Check HTTPS_PROXY and NO_PROXY in the agent's environment, and what the proxy allows.",
    ),
    Problem(
        "link.captive_portal",
        Kind.UNAVAILABLE,
        "Something else answers in the control plane's place at {url}: {why}.",
        "Sign in to the network's portal, or let the device through the firewall's TLS inspection; see lineside agent diagnose.",
    ),
    Problem(
        "link.broker",
        Kind.UNAVAILABLE,
        "The broker at {address} cannot be reached: {why}.",
        "Open its port in the firewall, or start it; results and messages wait on the device's disk until then.",
    ),
    Problem(
        "bus.topic_forbidden",
        Kind.FORBIDDEN,
        "The device {device} may not use the topic {topic} at the broker.",
        "Use a topic outside lineside/ and $, without wildcards to publish; see docs/recipes.md.",
    ),
    Problem(
        "bus.spool_full",
        Kind.TOO_MANY,
        "{count} messages wait for the broker, and the disk may hold {limit} bytes of them.",
        "Publish less while the device is offline, or with QoS 0; see: lineside agent diagnose",
    ),
    Problem(
        "bus.message_too_large",
        Kind.TOO_LARGE,
        "A message of {size} bytes is over the broker's limit of {limit}.",
        "Send less at once, or send files as captures or streams.",
    ),
)
