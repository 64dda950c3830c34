"""Image files and folders on disk: OCI layouts, the local store, and archives of ``docker save`` and others."""
