"""Tests of the Helm chart, rendered by Helm's own library without a cluster."""
