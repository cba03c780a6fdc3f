"""The Open Inference Protocol in Python, generated from proto/bothends/kserve by `make proto`."""
