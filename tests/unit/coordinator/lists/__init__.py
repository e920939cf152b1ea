"""Image lists in a cluster, without a cluster: names, plans, statuses."""
