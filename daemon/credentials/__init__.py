"""
Which credentials fit which image, by the kubelet's rules: pull secrets, docker config files, exec plugins.

`sources.Credentials` is the one object that a worker asks. Trying what it finds, one PullImage each, is the worker's.
"""
