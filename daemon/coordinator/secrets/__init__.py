"""Pull secrets in a cluster: copies that agents may read, made of what the jobs' namespaces have."""
