"""Front of our own contract, bothends.v1, which stands in proto/bothends/v1."""
