"""Native parts of bothends: `engine` computes an encoder's states, `transport` speaks gRPC, `wordpiece` tokenises.

None knows another. Imports none: whoever needs one imports it by name, and `transport` isn't in every build.
"""
