"""The meaning: repositories, blobs, uploads, manifests, tags, referrers and the rules between them.

The only place where rules live. It knows no HTTP, no SQL and no path: what it needs from outside is in ``ports``.
"""
