"""Bytes in an object store: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage, through obstore.

Below the prefix lie

    uploads/<upload id>/<offset>-<random>   bytes that came in one request: a segment, or, once a row names it, content
    quarantine/                             what a check found damaged, until a person deletes it; nothing reads it
    havre-storage.json                      the mark that says: this place is ours, and can be read
    (and sha256/6c/6c3c…                    content that was copied here from the ``blobs`` of a data folder)

``place`` reads the settings, ``probe`` asks whether the place can be used, ``bucket`` names what is asked of it;
``uploads``, ``blobs`` and ``checks`` keep the promises of the ports (decision 0021).
"""
