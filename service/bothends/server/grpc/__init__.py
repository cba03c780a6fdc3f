"""gRPC: the native and the grpcio transport, the interface that both implement, and the handling of their calls."""
