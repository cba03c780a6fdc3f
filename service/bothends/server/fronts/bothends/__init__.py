"""Our own contract, bothends.v1: what proto/bothends/v1 says."""
