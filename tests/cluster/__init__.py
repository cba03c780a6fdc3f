"""Tests of Ray Serve and Ray Data, really started: `make ray-test`."""
