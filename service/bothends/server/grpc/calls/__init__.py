"""Takes gRPC messages from a transport, native or grpcio, and hands them to the handlers of their methods."""
