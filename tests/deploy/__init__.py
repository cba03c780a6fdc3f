"""Tests of what deploys the service: Docker, Kubernetes, Envoy, and Prometheus' rules and dashboards."""
