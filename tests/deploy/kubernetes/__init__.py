"""What a Kubernetes cluster would get, without one."""
