"""Reflection of a real server, by both of its names."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection_pb2

from bothends.server.fronts import FRONTS
from bothends.server.grpc.calls.reflection import NAMES
from bothends.server.server import Server
from bothends.wire.messages import SERVICE
from tests.support.doors import connected
from tests.support.until import TIMEOUT_S


def ask(channel: grpc.Channel, name: str, *requests: reflection_pb2.ServerReflectionRequest) -> Iterator[Any]:
    begin = channel.stream_stream(
        f"/{name}/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    return begin(iter(requests), timeout=TIMEOUT_S)


@pytest.mark.parametrize("name", NAMES)
def test_it_names_every_service_and_describes_it(server: Server, name: str) -> None:
    request = reflection_pb2.ServerReflectionRequest
    with connected(server) as channel:
        listed, described, itself, missing = ask(
            channel,
            name,
            request(list_services=""),
            request(file_containing_symbol=SERVICE),
            request(file_containing_symbol=name),
            request(file_containing_symbol="no.such.Thing"),
        )
    services = {service.name for service in listed.list_services_response.service}
    assert services >= {health.SERVICE_NAME, *NAMES, *(each for front in FRONTS for each in front.services)}
    assert described.file_descriptor_response.file_descriptor_proto
    assert itself.file_descriptor_response.file_descriptor_proto
    assert missing.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_a_message_that_is_none_ends_the_stream(server: Server) -> None:
    with connected(server) as channel:
        begin = channel.stream_stream(f"/{NAMES[0]}/ServerReflectionInfo", bytes, bytes)
        call = begin(iter((b"\xff",)), timeout=TIMEOUT_S)
        with pytest.raises(grpc.RpcError) as raised:
            next(call)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
