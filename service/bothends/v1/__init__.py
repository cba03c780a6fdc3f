"""The wire contract in Python, generated from proto/bothends/v1 by `make proto`."""
