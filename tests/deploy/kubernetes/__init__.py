"""Tests of the manifests that a Kubernetes cluster would get, without one."""
