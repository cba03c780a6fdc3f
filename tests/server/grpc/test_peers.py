"""Addresses as gRPC writes them, to who counts as one."""

import pytest

from bothends.server.grpc.peers import network


@pytest.mark.parametrize(
    ("peer", "found"),
    [
        ("ipv4:192.0.2.1:5000", "192.0.2.1"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:5000", "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2::9]:5001", "2001:db8:1:2::/64"),
        ("ipv6:[fe80::1%25eth0]:5001", "fe80::/64"),
        ("ipv6:%5B::ffff:192.0.2.1%5D:5000", "192.0.2.1"),
        ("ipv6:nothing", "ipv6:nothing"),
        ("unix:/run/socket", "unix:/run/socket"),
    ],
)
def test_network(peer: str, found: str) -> None:
    assert network(peer) == found
