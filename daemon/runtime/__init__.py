"""
Everything that touches the node's runtime socket; gRPC types stop here.

The rest of the engine sees interface.py alone: values, a few Protocols and the error tree.
"""
