"""Addresses as gRPC writes them, to who counts as one."""

import pytest

from bothends.server.grpc.grpcio.peers import network_of
from bothends.server.sockets import network


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:5000", "192.0.2.1"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:5000", "2001:db8:1:2::9"),
        ("ipv6:[2001:db8:1:2::9]:5001", "2001:db8:1:2::1"),
        ("ipv6:[fe80::1%25eth0]:5001", "fe80::2"),
        ("ipv6:%5B::ffff:192.0.2.1%5D:5000", "192.0.2.1"),
    ],
)
def test_a_peer_counts_for_the_network_of_its_address(peer: str, address: str) -> None:
    """It is the one that HTTP's callers at that address count for."""
    assert network_of(peer) == network(address) != b""


@pytest.mark.parametrize("peer", ["ipv6:nothing", "ipv4:", "unix:/run/socket", "unix:/run/a:b"])
def test_a_peer_without_an_address_counts_by_itself(peer: str) -> None:
    assert network_of(peer) == peer.encode()
