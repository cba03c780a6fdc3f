"""Tests of server/grpc."""
