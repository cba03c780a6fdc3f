"""Tests of server/grpc/grpcio."""
