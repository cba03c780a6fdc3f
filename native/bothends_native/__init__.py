"""Native parts of bothends: `engine` computes an encoder's states, `front` speaks gRPC. Neither knows the other.

Imports neither: whoever needs one imports it by name, and `front` isn't in every build.
"""
