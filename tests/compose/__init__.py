"""The stack as it is deployed, on a real container engine. `make compose-test` runs it; nothing else does."""
