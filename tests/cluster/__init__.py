"""What Prewarm does on a real cluster: daemonset.yaml on nodes with real kubelets."""
