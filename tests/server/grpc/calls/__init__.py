"""Tests of server/grpc/calls."""
