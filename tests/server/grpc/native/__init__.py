"""Tests of server/grpc/native."""
