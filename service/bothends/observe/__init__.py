"""Events to metrics, spans and log lines. Knows nothing of what reports them; no value ever holds a caller's text."""
