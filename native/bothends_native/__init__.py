"""Native parts of bothends: `engine` computes an encoder's states, `front` speaks gRPC, `wordpiece` tokenises.

None knows another. Imports none: whoever needs one imports it by name, and `front` isn't in every build.
"""
