"""Messages and statuses as bytes, written in one way by client and server. Knows no call and no channel."""
