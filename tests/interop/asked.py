"""Sentences that everybody asks for, and gRPC messages as they stand in HTTP/2's frames."""

from bothends.wire.messages import SERVICE

SENTENCES = [f"dragon number {number} sings" + " über 龍 and the sea" * (number % 7) for number in range(500)]
CONCURRENT = 200
"""Number of calls that are made at once."""
ENDLESS = ["word " * 250] * 1000
"""Sentences that take an engine seconds, so a deadline of milliseconds passes and a cancellation comes first."""
EMBED, EMBED_STREAM, CHECK = f"/{SERVICE}/Embed", f"/{SERVICE}/EmbedStream", "/grpc.health.v1.Health/Check"
CANCELLED = 'bothends_requests_total{code="CANCELLED",method="Embed"}'
"""Series of the metrics page that counts calls of Embed whose caller went away."""
