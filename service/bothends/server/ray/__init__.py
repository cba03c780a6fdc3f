"""The parts of ray.py's application that run in Ray Serve's replicas and proxies. Knows no arguments of Ray's."""
