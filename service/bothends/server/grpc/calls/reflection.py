"""Answers a message of grpc.reflection.v1 or v1alpha, which are the same on the wire."""

from collections.abc import Callable, Sequence

from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection, reflection_pb2

NAMES = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)


def reflecting(services: Sequence[str]) -> Callable[[bytes], bytes]:
    """Make the function that answers a message about `services`, health and reflection itself.

    It raises DecodeError where the message is malformed.
    """
    _describe_v1()
    servicer = reflection.ReflectionServicer((*services, health.SERVICE_NAME, *NAMES))

    def reflect(content: bytes) -> bytes:
        request = reflection_pb2.ServerReflectionRequest.FromString(content)
        response: bytes = next(servicer.ServerReflectionInfo(iter((request,)), None)).SerializeToString()
        return response

    return reflect


def _describe_v1() -> None:
    """Have protobuf know v1 as v1alpha by another name: grpcio has no v1, and what is listed has to be described."""
    pool = descriptor_pool.Default()
    try:
        pool.FindServiceByName(NAMES[0])
    except KeyError:
        alpha = descriptor_pb2.FileDescriptorProto()
        reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
        text = text_format.MessageToString(alpha).replace("v1alpha", "v1")
        pool.Add(text_format.Parse(text, descriptor_pb2.FileDescriptorProto()))
