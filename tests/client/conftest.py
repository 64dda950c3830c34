"""The registries that the client is tested with."""

from tests.support.peer_fixtures import client, docker_registry, havre_registry, peer

__all__ = ["client", "docker_registry", "havre_registry", "peer"]
