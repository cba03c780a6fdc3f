"""Transport in C++, which serves gRPC and HTTP."""
