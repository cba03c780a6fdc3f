"""The transport in C++: its sockets and bounds, and the small requests that it serves without Python."""
