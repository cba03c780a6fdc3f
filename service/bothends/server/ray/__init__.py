"""What runs in Ray Serve's replicas and proxies: ray.py's application, from the inside. Knows no arguments of Ray's."""
