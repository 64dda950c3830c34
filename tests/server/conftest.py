"""A Havre in this process for every test here."""

from tests.support.fixtures import alice, anyone, bobby, inside, people

__all__ = ["alice", "anyone", "bobby", "inside", "people"]
