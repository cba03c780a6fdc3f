"""Front of the Open Inference Protocol, for clients of KServe and Triton."""
