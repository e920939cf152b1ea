"""
A real Kubernetes cluster on one machine: a control plane and nodes with a containerd and a kubelet each.

Everything runs in namespaces of its own that end with their processes: the machine's network, mounts and files are not
touched. The tests of tests/cluster, bench/ and `make cluster` start the same.
"""
