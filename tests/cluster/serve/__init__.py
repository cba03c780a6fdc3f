"""The application on Ray Serve, with real replicas, proxies and callers."""
