"""gRPC: its transports in C++ and over grpcio, the contract that both keep, and the calls that come by them."""
