"""Takes messages of gRPC's calls from a transport, whichever it is, and hands them to the handlers of their methods."""
