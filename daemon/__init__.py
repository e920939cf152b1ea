"""Prewarm puts container images on Kubernetes nodes before Pods need them."""

__version__ = "0.1.0"
