"""grpc.reflection.v1 and v1alpha, which are the same on the wire: one message to its response. Knows no stream."""

from collections.abc import Callable, Sequence

from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection, reflection_pb2

NAMES = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)


def reflecting(services: Sequence[str]) -> Callable[[bytes], bytes]:
    """Make the function that answers a message about `services`, health and reflection itself.

    It raises DecodeError where the message is malformed.
    """
    servicer = reflection.ReflectionServicer((*services, health.SERVICE_NAME, reflection.SERVICE_NAME))

    def reflect(content: bytes) -> bytes:
        request = reflection_pb2.ServerReflectionRequest.FromString(content)
        response: bytes = next(servicer.ServerReflectionInfo(iter((request,)), None)).SerializeToString()
        return response

    return reflect
