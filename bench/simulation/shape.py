"""The shape of the registry: who has how much of what. A few have very much, most have little, as everywhere.

All of it follows from one seed, so that a key can be told without asking the database for it.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate

from havre.oci.digest import Digest
from havre.oci.names import Namespace, RepositoryName, Tag

TAGS, LINKS = 20, 50
"""Of each repository, in the mean."""

TAGS_OF_A_MANIFEST = 4
STACKS, STACK_LAYERS = 300, 3
"""Base images, of which each repository is built on one; the most popular is below a seventh of all."""

COMMON = STACKS * STACK_LAYERS
PULL_SKEW = 1.07
"""Of Zipf's law: how fast pulls become fewer from one repository to the next."""

STRIDE = 7919
"""Blobs of one repository lie this far apart, as those do that were pushed on different days."""

DAY = 20_000
"""Today, since 1970-01-01."""

NOW = DAY * 86_400_000
YEAR = 365 * 86_400_000
WORDS = 3000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of each; all follow from the number of repositories."""

    repositories: int

    @property
    def accounts(self) -> int:
        """Each has a namespace."""
        return max(10, self.repositories * 3 // 10)

    @property
    def tags(self) -> int:
        """Of all repositories."""
        return self.repositories * TAGS

    @property
    def links(self) -> int:
        """Of repositories to blobs."""
        return self.repositories * LINKS

    @property
    def blobs(self) -> int:
        """Different ones: each is linked ten times in the mean."""
        return max(self.repositories * 5, 4 * COMMON)


class Shape:
    """Numbers of each repository, counted from 1; index 0 of each array is unused."""

    def __init__(self, sizes: Sizes, seed: int = 1) -> None:
        self.sizes = sizes
        made = random.Random(seed)
        number = sizes.repositories
        self.words = [
            "harbour",
            "light",
            *("".join(made.choices("aeiouklmnprst", k=made.randint(3, 9))) for _ in range(WORDS)),
        ]
        self.tags = _skewed(made, number, sizes.tags, most=sizes.tags // 50)
        self.links = array("q", [0])
        self.namespaces = array("q", [0])
        self.stacks = array("q", [0])
        self.firsts = array("q", [0])
        own = sizes.blobs - COMMON
        starts = [made.randrange(own) for _ in range(sizes.accounts + 1)]
        for tags in self.tags[1:]:
            namespace = 1 + int(sizes.accounts * made.random() ** 3)
            self.namespaces.append(namespace)
            self.stacks.append(int(STACKS * made.random() ** 3))
            # What repositories of one namespace have in common, they link both.
            self.firsts.append(starts[namespace])
            self.links.append(min(STACK_LAYERS + 1 + tags * (LINKS - STACK_LAYERS - 1) // TAGS, own // 2))
        _stretch(self.links, sizes.links, own // 2)
        self.manifests = array("q", [0, *(-(-tags // TAGS_OF_A_MANIFEST) for tags in self.tags[1:])])
        self.before = array("q", [0, *accumulate(self.manifests)])
        """Manifests of all repositories before this one: ``before[3]`` of the first two."""
        ranks = list(range(1, number + 1))
        made.shuffle(ranks)
        self.pulls = array("q", [0, *(int(10 * number / rank**PULL_SKEW) for rank in ranks)])
        self._pulled = list(accumulate(self.pulls))
        self.largest = max(range(1, number + 1), key=self.tags.__getitem__)

    def pulled(self, made: random.Random) -> int:
        """A repository, as pulls choose them."""
        return min(bisect(self._pulled, made.randrange(self._pulled[-1])), self.sizes.repositories)

    def leaf(self, repository: int) -> str:
        """Its name within the namespace."""
        first, second = repository * 31 % len(self.words), repository * 17 % len(self.words)
        return f"{self.words[first]}-{self.words[second]}-{repository}"

    def name(self, repository: int) -> RepositoryName:
        """Its whole name."""
        return RepositoryName(f"{account(self.namespaces[repository])}/{self.leaf(repository)}")

    def blob(self, repository: int, position: int) -> int:
        """The id of a blob that a repository links; the first few are those of the base image."""
        if position < STACK_LAYERS:
            return self.stacks[repository] * STACK_LAYERS + position + 1
        own = self.sizes.blobs - COMMON
        return COMMON + 1 + (self.firsts[repository] + position * STRIDE) % own

    def manifest(self, repository: int, position: int) -> Digest:
        """The digest of a manifest, counted from 0."""
        return hashed(f"manifest/{self.before[repository] + position + 1}")


def account(number: int) -> Namespace:
    """The name of an account and its namespace."""
    return Namespace(f"account{number}")


def tag(position: int) -> Tag:
    """The name of a repository's tag, counted from 0."""
    return Tag(f"{position // 100}.{position % 100}" if position else "latest")


def hashed(text: str) -> Digest:
    """A digest, as the database makes it from the same text."""
    return Digest(f"sha256:{sha256(text.encode()).hexdigest()}")


def blob_digest(number: int) -> Digest:
    """Of the blob with that id."""
    return hashed(f"blob/{number}")


def _skewed(made: random.Random, number: int, total: int, most: int) -> array[int]:
    """So many each that together they are ``total``, by Pareto's law."""
    found = [made.paretovariate(1.1) for _ in range(number)]
    scale = total / sum(min(one, most) for one in found)
    several = array("q", [0, *(max(1, min(int(one * scale), most)) for one in found)])
    _stretch(several, total, most)
    return several


def _stretch(several: array[int], total: int, most: int) -> None:
    """Add to each in turn, or take away, until they are ``total``."""
    missing = total - sum(several)
    step, place = (1 if missing > 0 else -1), 0
    while missing:
        place = place % (len(several) - 1) + 1
        if 8 <= several[place] + step <= most or (step > 0 and several[place] < most):
            several[place] += step
            missing -= step
