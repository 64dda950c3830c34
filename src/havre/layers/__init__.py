"""Layers: what someone packed, read as a stream in a process of its own that may do no harm.

``unpack`` opens the compression, ``tar`` reads members, ``scan`` makes a tree of a layer. ``child`` is the process:
bounded in memory and time, without files to write or secrets to read. ``workshop`` starts it and talks to it.
"""
