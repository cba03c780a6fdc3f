"""Finds the network of a caller in the peer address that gRPC reports."""

from urllib.parse import unquote

from ...sockets import network


def network_of(peer: str) -> bytes:
    """Return the network of a `peer` such as "ipv4:192.0.2.1:5000"; for a peer without an IP address, its whole
    name.
    """
    host = unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")
    return network(host) or peer.encode()
