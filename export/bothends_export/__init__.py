"""A PyTorch encoder to a bundle that the service can serve, proved equal."""
