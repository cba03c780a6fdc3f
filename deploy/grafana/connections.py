"""The dashboard of gRPC's callers: how many, what is on its way, and how promptly they are looked after.

What panels look like is in panels.py.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from panels import BLUE, GREY, ORANGE, PURPLE, SKY, VERMILION, Panel, levels, lines, pick, rate


def page() -> Dashboard:
    """Return the empty page."""
    return (
        Dashboard("bothends: connections")
        .uid("bothends-connections")
        .description(
            "Callers of gRPC, before the model has anything to do. Of the native transport: grpcio tells of calls, "
            "slots, waiting messages and refusals only."
        )
    )


def _share(name: str) -> str:
    """Return how much of its limit the fullest instance has."""
    return f"max({pick(f'bothends_grpc_{name}')} / {pick(f'bothends_grpc_{name}_limit')})"


_CALLERS: list[Panel] = [
    lines(
        "Connections",
        "Open connections of each instance, and the lowest limit of all. One instance has all: callers keep to the "
        "first that they found, so balance them. Near the limit: see BothendsConnectionsHigh in docs/runbook.md.",
        {
            "{{instance}}": f"max by (instance) ({pick('bothends_grpc_connections')})",
            "limit": f"min({pick('bothends_grpc_connections_limit')})",
        },
        unit="short",
        colors={"limit": GREY},
    ),
    lines(
        "New connections and calls",
        "Connections and calls that callers begin each second. As many of one as of the other: callers connect for "
        "each call, which costs more than the call; ask them to keep their connection.",
        {
            "connections": f"sum({rate('bothends_grpc_begun_connections_total')})",
            "calls": f"sum({rate('bothends_grpc_begun_calls_total')})",
        },
        unit="cps",
        colors={"connections": ORANGE, "calls": BLUE},
    ),
    lines(
        "Refused by the transport",
        "Calls refused before the model was asked, each second. full and late want more instances; slow, unread, "
        "large, headers and malformed are callers that misbehave; unknown calls methods that aren't there.",
        {"{{reason}}": f"sum by (reason) ({rate('bothends_grpc_refused_calls_total')})"},
        unit="reqps",
        colors={"full": VERMILION, "late": ORANGE, "unread": PURPLE},
    ),
]

_CALLS: list[Panel] = [
    lines(
        "Open calls",
        "Calls that are open, streams among them, and unary ones that take a place. Places at their limit: more are "
        "refused as full. Many calls and few slots are streams, which cost little while they rest.",
        {
            "calls": f"sum({pick('bothends_grpc_calls')})",
            "slots": f"sum({pick('bothends_grpc_slots')})",
            "limit of slots": f"sum({pick('bothends_grpc_slots_limit')})",
        },
        unit="short",
        colors={"calls": SKY, "slots": BLUE, "limit of slots": GREY},
    ),
    lines(
        "Messages",
        "Requests that wait to be taken, and those that were taken and have no answer yet. Waiting ones that stay: all "
        "threads are busy with the model, so look at Engine busy.",
        {
            "waiting": f"sum({pick('bothends_grpc_waiting_messages')})",
            "taken": f"sum({pick('bothends_grpc_taken_messages')})",
        },
        unit="short",
        colors={"waiting": ORANGE, "taken": BLUE},
    ),
    lines(
        "Resets",
        "Calls that callers give up each second, cancelled or late, and calls that ended too fast to be counted. As "
        "many resets as calls: deadlines are too short, or somebody attacks. Uncounted ones: somebody does.",
        {
            "resets": f"sum({rate('bothends_grpc_resets_total')})",
            "uncounted": f"sum({rate('bothends_grpc_uncounted_calls_total')})",
        },
        unit="cps",
        colors={"resets": BLUE, "uncounted": VERMILION},
    ),
]

_BYTES: list[Panel] = [
    lines(
        "Traffic",
        "Bytes received and sent each second. Vectors are most of what is sent: encoding and dimensions make them "
        "smaller. Much received and little sent: refusals, or answers that nobody reads.",
        {
            "received": f"sum({rate('bothends_grpc_received_bytes_total')})",
            "sent": f"sum({rate('bothends_grpc_sent_bytes_total')})",
        },
        unit="Bps",
        colors={"received": BLUE, "sent": ORANGE},
    ),
    lines(
        "Bytes on their way",
        "Share of their limits that requests not yet taken, long ones being served and answers not yet read hold in "
        "memory, on the worst instance. Unread over the line: callers don't read; see BothendsAnswersUnread in "
        "docs/runbook.md.",
        {"requests": _share("held_bytes"), "long": _share("making_bytes"), "unread answers": _share("unread_bytes")},
        unit="percentunit",
        colors={"requests": BLUE, "long": PURPLE, "unread answers": ORANGE},
        limits=levels("transparent", (0.5, GREY)),
        top=1,
    ),
    lines(
        "Loop lag",
        "The longest that no thread looked at an instance's sockets, of the last 15 s. A few milliseconds are usual; "
        "over the line calls wait unseen: see BothendsLagHigh in docs/runbook.md.",
        {"{{instance}}": f"max by (instance) ({pick('bothends_grpc_lag_seconds')})"},
        unit="s",
        limits=levels("transparent", (0.25, GREY)),
    ),
]

ROWS: list[tuple[int, list[Panel]]] = [(7, _CALLERS), (7, _CALLS), (7, _BYTES)]
