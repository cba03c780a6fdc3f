"""Callers' addresses, as gRPC writes them, to the networks that they count for."""

from ipaddress import IPv6Address, ip_network
from urllib.parse import unquote

_OF_ONE_PERSON = 64
"""Bits of an IPv6 address that tell whose it is; who has one has all others of these."""


def network(peer: str) -> str:
    """Return the IPv4 address of `peer`, as in "ipv4:192.0.2.1:5000", or the /64 of an IPv6 address; others whole."""
    kind, _, address = unquote(peer).partition(":")
    host = address.rpartition(":")[0].strip("[]").partition("%")[0]
    if kind != "ipv6":
        return host if kind == "ipv4" else peer
    try:
        found = IPv6Address(host)
    except ValueError:
        return peer
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ip_network((int(found), _OF_ONE_PERSON), strict=False))
