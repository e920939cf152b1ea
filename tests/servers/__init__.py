"""
Real servers for the tests, the benches and the demo: each in its own folder, on its own socket or loopback port.

Find by what you need: a runtime (containerd.py), a registry (registry.py), images in it (images.py), a network that
misbehaves between the two (faults.py), a disk that is too small (disks.py), a Kubernetes API server (apiserver.py), the
binaries (binaries.py). fixtures.py and fixtures_apiserver.py hand them to tests. setup/ brings what the machine lacks,
into a cache and never onto the machine.
"""
