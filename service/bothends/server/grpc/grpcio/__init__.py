"""The transport over grpcio's public API, on an event loop of its own."""
