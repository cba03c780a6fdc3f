"""Answers messages of gRPC server reflection, grpc.reflection.v1 and v1alpha, whose wire format is the same."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, text_format

NAMES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


def reflecting(services: Sequence[str]) -> Callable[[bytes], bytes]:
    """Make the function that answers reflection messages about `services`, health and reflection itself.

    The function raises DecodeError for a malformed message. It imports the grpc library at its first message only,
    since a server with the native transport needs that library for nothing else.
    """
    describing = cache(lambda: _servicer(services))

    def reflect(content: bytes) -> bytes:
        servicer, messages = describing()
        request = messages.ServerReflectionRequest.FromString(content)
        response: bytes = next(servicer.ServerReflectionInfo(iter((request,)), None)).SerializeToString()
        return response

    return reflect


def _servicer(services: Sequence[str]) -> tuple[Any, Any]:
    """Make what describes services, and return it with the module of its messages."""
    from grpc_health.v1 import health
    from grpc_reflection.v1alpha import reflection, reflection_pb2

    _describe_v1(reflection_pb2)
    return reflection.ReflectionServicer((*services, health.SERVICE_NAME, *NAMES)), reflection_pb2


def _describe_v1(reflection_pb2: Any) -> None:
    """Have protobuf know v1 as v1alpha by another name: grpcio has no v1, and what is listed has to be described."""
    pool = descriptor_pool.Default()
    try:
        pool.FindServiceByName(NAMES[0])
    except KeyError:
        alpha = descriptor_pb2.FileDescriptorProto()
        reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
        text = text_format.MessageToString(alpha).replace("v1alpha", "v1")
        pool.Add(text_format.Parse(text, descriptor_pb2.FileDescriptorProto()))
