"""What other registries left on disk, read without them and brought in: ``havre import``.

``source`` says what such a tree holds, ``distribution`` and ``layouts`` read the two kinds of it, ``names`` finds each
repository its place here, ``importing`` brings everything in, the way of every push, and ``report`` tells what came.
"""
