"""Messages of gRPC's calls to the handlers of their methods, whatever transport they come by."""
