"""The nouns: digests, names, references, descriptors, manifests and ranges.

Frozen values from the standard library alone, shared by the server and the client. Whoever holds one holds something
already checked.
"""
