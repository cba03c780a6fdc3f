"""The parts of the Ray Serve application that run in Ray's replicas and proxies."""
