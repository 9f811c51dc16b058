"""What the peers' tests share: servers to start, ports, raw wire, tree dumps.

Nothing here knows a test framework, so that the long-running loops can use it too.
"""
