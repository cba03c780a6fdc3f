"""Finds the network that a caller counts for in the address that gRPC writes."""

from urllib.parse import unquote

from ...sockets import network


def network_of(peer: str) -> bytes:
    """Return the network of a `peer` such as "ipv4:192.0.2.1:5000"; of one that has no address, its whole name."""
    host = unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")
    return network(host) or peer.encode()
