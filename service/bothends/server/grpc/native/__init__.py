"""The transport in C++, which serves gRPC and HTTP: its sockets and bounds."""
