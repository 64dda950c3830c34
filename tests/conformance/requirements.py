"""What the OCI distribution specification demands of a registry, in our words, each demand with a name that tests cite.

A test proves a demand by its name: ``@pytest.mark.spec("tags-order")``. Demands on clients are left out, except where a
registry has to hold clients to them. ``SPECIFICATION`` says which text was read; ``docs/conformance.md`` is made of this
table and of the marks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MUST, MUST_NOT, SHOULD, SHOULD_NOT, MAY = "MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"
LEVELS = (MUST, MUST_NOT, SHOULD, SHOULD_NOT, MAY)

SPECIFICATION = "967efdc079b91785ad18c77cc4f8991a47feefbf"
"""The commit of ``opencontainers/distribution-spec`` that was read: main, of July 2026."""


class Requirement(NamedTuple):
    """One demand. ``here`` says what Havre does where the specification leaves a choice."""

    section: str
    level: str
    rule: str
    here: str = ""


_ALWAYS_DELETES = "deletes are always offered; who may is a matter of rights"

_READING = (
    ("Requirements", {
        "categories-pull": (MUST, "every API of the Pull category is offered"),
        "categories-others": (SHOULD, "so are those of Push, Content Discovery and Content Management"),
        "categories-whole": (MUST, "a category that is claimed is offered whole", "all four are claimed"),
    }),
    ("Pulling manifests", {
        "manifest-reference": (MUST, "a manifest is named by its digest or by a tag"),
        "manifest-reference-only": (MUST_NOT, "it is named in no other way"),
        "name-grammar": (MUST, "names of repositories match the grammar: lower case, parts divided by slashes"),
        "tag-length": (MUST, "a tag has at most 128 characters"),
        "tag-grammar": (MUST, "a tag matches the grammar: a letter, digit or underscore, then also dots and dashes"),
        "manifest-type-bare": (SHOULD_NOT, "the Content-Type of a manifest carries parameters"),
        "manifest-type": (SHOULD, "it is the type that the client pushed the manifest with"),
        "manifest-200": (MUST, "GET of a manifest that exists is answered 200, with that manifest"),
        "manifest-digest": (MUST, "the answer names its digest in Docker-Content-Digest"),
        "manifest-digest-other": (
            MAY, "that digest differs from the one asked for", "it is always the one asked for, sha256 or sha512",
        ),
        "manifest-404": (MUST, "a manifest that is not found is answered 404"),
    }),
    ("Pulling blobs", {
        "blob-200": (MUST, "GET of a blob that exists is answered 200, with that blob"),
        "blob-digest": (MUST, "the answer names its digest in Docker-Content-Digest"),
        "blob-digest-true": (MUST, "that digest is the one of the bytes that are sent"),
        "blob-404": (MUST, "a blob that is not in the repository is answered 404"),
        "blob-range": (SHOULD, "Range is understood as RFC 9110 has it", "several ranges in one request, too"),
    }),
    ("Checking if content exists in the registry", {
        "head-200": (MUST, "HEAD of a blob or manifest that exists is answered 200"),
        "head-digest": (MUST, "the answer names its digest in Docker-Content-Digest"),
        "head-length": (MUST, "the answer names its size in bytes in Content-Length"),
        "head-404": (MUST, "HEAD of what is not found is answered 404"),
    }),
)  # fmt: skip

_BLOBS = (
    ("Push", {
        "subject-first": (MUST, "a manifest is accepted although its subject is not here yet"),
        "children-refused": (
            MAY, "a manifest is refused because something else that it refers to is not here",
            "refused, unless `sparse_manifests` is `accept`",
        ),
        "children-error": (MUST, "such a refusal has the code MANIFEST_BLOB_UNKNOWN"),
    }),
    ("Pushing blobs", {
        "digest-400": (SHOULD, "a digest that is invalid, or of an unknown algorithm, is answered 400"),
    }),
    ("POST then PUT", {
        "upload-202": (MUST, "the POST that begins an upload is answered 202"),
        "upload-location": (MUST, "with the upload's address in Location"),
        "upload-uuid": (MUST, "which holds a UUID of that upload alone"),
        "upload-relative": (MAY, "the address is absolute or relative", "relative: it holds behind any proxy"),
        "upload-query": (MAY, "the address has query parameters that matter", "it has none"),
        "upload-201": (MUST, "the PUT with all bytes is answered 201"),
        "upload-blob": (MUST, "with the address of the blob, which can be pulled from there, in Location"),
    }),
    ("Single POST", {
        "post-offered": (MAY, "a blob is taken in one POST", "it is"),
        "post-length": (MUST, "Content-Length is the length of the blob"),
        "post-digest": (MUST, "the digest given is the digest of the blob"),
        "post-202": (
            SHOULD, "where that is not offered, the answer is 202 with a Location",
            "a POST with a digest and no bytes is answered so",
        ),
        "post-201": (MUST, "success is answered 201"),
        "post-blob": (MUST, "with the address of the blob in Location"),
    }),
    ("Pushing a blob in chunks", {
        "chunk-algorithm": (
            SHOULD, "the POST names the algorithm of the digest, unless it is sha256",
            "understood; sha512 works without it, too",
        ),
        "chunk-least": (
            SHOULD, "the least size of a chunk is announced in OCI-Chunk-Min-Length", "there is none, so it is not sent",
        ),
        "chunk-span": (MUST, "Content-Range counts both of its ends: as many bytes follow as it says"),
        "chunk-first": (MUST, "the first chunk begins at 0"),
        "chunk-grammar": (MUST, "Content-Range is two numbers and a dash"),
        "chunk-last": (MAY, "the last chunk has any length", "any chunk has"),
        "chunk-202": (MUST, "each chunk is answered 202"),
        "chunk-location": (MUST, "with the upload's address in Location"),
        "chunk-range": (MUST, "and in Range the position of the last byte that is here"),
        "chunk-order": (MUST, "chunks come in order, each beginning after the one before"),
        "chunk-416": (MUST, "a chunk that does not is answered 416"),
        "chunk-closing": (MAY, "the last chunk comes by PATCH or in the closing PUT", "both"),
        "close-put": (MUST, "a PUT closes the upload, however the last chunk came"),
        "close-digest": (MUST, "it names the digest of the whole blob"),
        "close-201": (MUST, "success is answered 201"),
        "close-blob": (MUST, "with the address of the blob in Location"),
        "close-416": (MUST, "a last chunk out of order is answered 416"),
        "status-204": (MUST, "GET of an upload that goes on is answered 204"),
        "status-headers": (MUST, "with its address in Location and what is here in Range"),
    }),
    ("Cancel a blob upload", {
        "cancel-204": (SHOULD, "DELETE of an upload is answered 204"),
        "cancel-expiry": (SHOULD, "uploads that are never finished are removed after a time", "`upload_expiry_hours`"),
    }),
    ("Mounting a blob from another repository", {
        "mount-201": (MUST, "a mount that succeeds is answered 201"),
        "mount-blob": (MUST, "with the address of the blob in Location"),
        "mount-digest": (MAY, "Docker-Content-Digest differs from the digest given", "it never does"),
        "mount-from": (MAY, "`from` can be left out", "it can: the blob is looked for where the caller may pull"),
        "mount-cross": (MAY, "a blob is mounted from wherever it is found", "from wherever the caller may pull"),
        "mount-202": (SHOULD, "a mount that is impossible begins an upload, answered 202"),
    }),
)  # fmt: skip

_MANIFESTS = (
    ("Pushing Manifests", {
        "put-parameters": (SHOULD, "parameters of the Content-Type are ignored"),
        "put-reference": (MUST, "a manifest is pushed by its digest or by a tag"),
        "put-no-blobs": (MAY, "the list of blobs is empty", "accepted"),
        "put-bytes": (MUST, "the exact bytes are kept"),
        "put-201": (MUST, "success is answered 201"),
        "put-location": (MUST, "with the address of the manifest, which can be pulled from there, in Location"),
        "put-digest": (MUST, "Docker-Content-Digest is the digest that the client gave"),
        "put-tags": (MAY, "a push by digest takes tags as `tag` parameters", "it does, and a push by tag, too"),
        "put-tags-ten": (SHOULD, "at least ten of them in one request", "100"),
        "put-tags-414": (MAY, "too many tags are answered 414", "400, before anything is stored"),
        "put-tags-told": (MUST, "each tag that was accepted is named in OCI-Tag"),
        "repository-404": (MUST, "a pull from a repository that does not exist is answered 404"),
        "put-limit": (SHOULD, "the size of a manifest has a limit", "`manifest_max`, 4 MiB"),
        "put-413": (SHOULD, "a manifest over the limit is answered 413"),
        "put-four-megabytes": (SHOULD, "manifests of four megabytes are accepted"),
    }),
    ("Pushing Manifests with Subject", {
        "subject-told": (MUST, "the answer to a manifest with a subject names it in OCI-Subject"),
    }),
)  # fmt: skip

_LISTS = (
    ("Listing Tags", {
        "tags-200": (MUST, "the tags of a repository that exists are answered 200"),
        "tags-empty": (MAY, "the list is empty", "an empty array, never null"),
        "tags-order": (MUST, "tags come in lexical or ASCIIbetical order", "ASCIIbetical"),
        "tags-json": (MUST, "as JSON with `name` and `tags`"),
        "tags-fewer": (MAY, "fewer than `n` come: if there are no more, or with a Link", "pages of at most 10,000"),
        "tags-n": (MUST, "in all other cases exactly `n` come"),
        "tags-link": (MAY, "a Link leads to those that follow", "always, when there are any"),
        "tags-link-form": (MUST, "that Link is of RFC 5988, with rel=next"),
        "tags-none": (MUST, "`n=0` is answered with an empty list"),
        "tags-none-link": (MUST_NOT, "`n=0` is answered with a Link"),
        "tags-last": (MUST, "`last` is a tag: the list goes on after it"),
        "tags-last-number": (MUST_NOT, "`last` is an index into the list"),
        "tags-last-order": (MUST, "what follows `last` is in the same order"),
        "tags-last-alone": (MAY, "`last` comes without `n`", "understood"),
    }),
    ("Listing Referrers", {
        "referrers-200": (MUST, "the referrers of a digest are answered 200"),
        "referrers-404": (MUST_NOT, "the answer is ever 404", "nor for a repository that does not exist"),
        "referrers-400": (MUST, "a digest of invalid syntax is answered 400"),
        "referrers-json": (MUST, "the answer is an image index of descriptors, in JSON"),
        "referrers-type": (MUST, "its Content-Type is the one of an image index"),
        "referrers-artifact": (MUST, "a descriptor has the artifactType of its manifest"),
        "referrers-config": (MUST, "for an image without one, the media type of its config"),
        "referrers-index": (MUST, "for an index without one, none"),
        "referrers-annotations": (MUST, "a descriptor has the annotations of its manifest"),
        "referrers-empty": (MUST, "where nothing refers to the digest, the list is empty"),
        "referrers-link": (MUST, "a list that is too long for one answer has a Link"),
        "referrers-link-form": (MUST, "that Link is of RFC 5988, with rel=next"),
        "referrers-filter": (SHOULD, "`artifactType` filters"),
        "referrers-filter-told": (MUST, "a filter that was applied is named in OCI-Filters-Applied"),
        "referrers-filters": (MUST, "several filters are named with commas between them", "there is only one"),
    }),
)  # fmt: skip

_MANAGING = (
    ("Content management", {
        "delete-offered": (MAY, "deletes are offered or not", _ALWAYS_DELETES),
        "delete-tags-offered": (MAY, "tags can be deleted, or manifests only", "both can"),
    }),
    ("Deleting tags", {
        "delete-tag-202": (MUST, "success is answered 202"),
        "delete-tag-disabled": (MUST, "where that is disabled, the answer is 400 or 405", _ALWAYS_DELETES),
    }),
    ("Deleting Manifests", {
        "delete-manifest-202": (MUST, "success is answered 202"),
        "delete-manifest-404": (MUST, "in a repository that does not exist the answer is 404"),
        "delete-manifest-disabled": (MUST, "where that is disabled, the answer is 400 or 405", _ALWAYS_DELETES),
    }),
    ("Deleting Blobs", {
        "delete-blob-202": (MUST, "success is answered 202"),
        "delete-blob-404": (MUST, "a blob that is not found is answered 404"),
        "delete-blob-disabled": (MUST, "where that is disabled, the answer is 400 or 405", _ALWAYS_DELETES),
    }),
    ("Registry Proxying", {
        "proxy": (MAY, "a registry stands in for another", "Havre does not"),
        "proxy-ns": (MAY, "`ns` says which one is meant", "not needed, therefore ignored"),
        "proxy-ns-ignored": (MAY, "`ns` is ignored", "it is"),
        "proxy-ns-told": (SHOULD, "where `ns` mattered, OCI-Namespace repeats it", "it never matters, so none is sent"),
    }),
    ("Enabling the Referrers API", {
        "upgrade-listed": (MUST, "referrers that a client listed under a referrers tag are in the answers"),
        "upgrade-all": (MAY, "so are all others that were here before", "they are"),
        "upgrade-new": (MUST, "so are all that are pushed from then on"),
    }),
    ("API", {
        "http": (SHOULD, "where the specification is silent, RFC 9110 holds"),
        "redirect": (MAY, "any request is answered with a redirect", "none is, with content in a folder"),
    }),
    ("Determining Support", {
        "ping-200": (MUST, "`/v2/` is answered 200 by what is such a registry", "to whoever brings a token"),
        "ping-authentication": (MAY, "`/v2/` serves to authenticate", "it says where to get a token"),
    }),
    ("Error Codes", {
        "error-body": (MAY, "a refusal has a body of any format", "always JSON"),
        "error-json": (MUST, "a body in JSON is an object with `errors`, each with a code"),
        "error-code-form": (MUST, "a code is capital letters and underscores"),
        "error-message": (SHOULD, "a message is a text for people"),
        "error-detail": (MAY, "`detail` holds any JSON", "what the sentence is about, where a program may need it"),
        "error-codes": (MUST, "a code is one of the fourteen"),
        "error-retry": (SHOULD, "429 says in Retry-After when to come back"),
    }),
    ("Warnings", {
        "warning": (MAY, "answers carry warnings", "they do not"),
        "warning-form": (MUST, 'a Warning is `299 - "text"`', "none is sent"),
        "warning-date": (MUST_NOT, "a Warning has a date", "none is sent"),
        "warning-size": (MUST_NOT, "the warnings of one answer exceed 4,096 bytes", "none is sent"),
    }),
)  # fmt: skip

_SECTIONS: tuple[tuple[str, Mapping[str, tuple[str, ...]]], ...] = tuple(
    section for part in (_READING, _BLOBS, _MANIFESTS, _LISTS, _MANAGING) for section in part
)

REQUIREMENTS: Mapping[str, Requirement] = {
    name: Requirement(section, *fields) for section, rules in _SECTIONS for name, fields in rules.items()
}
"""Every demand by its name, in the order of the specification."""
