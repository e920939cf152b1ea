"""
Hollow nodes: agents without a runtime, hundreds a process, for what a coordinator does with a thousand nodes.

One watch hears every NodeImage, and each node's status is written as its own agent would write it. They are the bench's
and the tests', never the product's: `python -m bench.hollow --kubeconfig FILE`.
"""
