"""podman, buildah and skopeo: one family, one set of configuration files, and each a home of its own."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

from tests.support.engines.client import Client, Engine
from tests.support.engines.command import Outcome
from tests.support.engines.needs import SEARCHED
from tests.support.engines.storage import overlay_works, unmount_below
from tests.support.images import Image, Index

CONTAINERS = """\
[containers]
netns = "none"
log_driver = "k8s-file"
# podman raises these to 1048576 otherwise, which fails for a root without CAP_SYS_RESOURCE.
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[network]
network_backend = "netavark"
network_config_dir = "{home}/networks"
[engine]
# runc, cgroupfs and a file: no systemd, no journal, and hybrid control groups are fine.
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{home}/libpod"
static_dir = "{home}/graph/libpod"
volume_path = "{home}/graph/volumes"
"""
STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{home}/graph"
runroot = "{home}/run"
[storage.options]
# What newer versions do by themselves: fetch only the chunks of a zstd layer that are not there yet.
pull_options = {{enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}}
"""
POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}'


def _environment(home: Path) -> dict[str, str]:
    """Writes the configuration below `home` and returns the variables that lead the tools to it.

    skopeo and `buildah login` find their files by HOME alone. DOCKER_CONFIG stays out, or a login of docker's
    would count as one of theirs. The cache of blob locations of root's is shared by all; it knows registries
    by host and port, so a port of its own keeps every test run apart.
    """
    folder = home / ".config/containers"
    for path in (folder, home / "runtime", home / "tmp", home / "networks"):
        path.mkdir(parents=True)
    limits = {
        "files": min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        "processes": _no_more_than(4096, resource.getrlimit(resource.RLIMIT_NPROC)[1]),
    }
    (folder / "containers.conf").write_text(CONTAINERS.format(home=home, **limits))
    driver = "overlay" if overlay_works(home) else "vfs"
    (folder / "storage.conf").write_text(STORAGE.format(home=home, driver=driver))
    (folder / "registries.conf").write_text("unqualified-search-registries = []\n")
    (folder / "policy.json").write_text(POLICY)
    return {
        "PATH": SEARCHED,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "runtime"),
        "TMPDIR": str(home / "tmp"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
    }


def _no_more_than(limit: int, allowed: int) -> int:
    return limit if allowed == resource.RLIM_INFINITY else min(limit, allowed)


class _Containers(Client):
    def __init__(self, home: Path) -> None:
        super().__init__(home, _environment(home))

    @property
    def credentials(self) -> Path:
        return self.home / "runtime/containers/auth.json"

    def stop(self) -> None:
        unmount_below(self.home)

    def telling_digest(self, command: str, *arguments: str) -> Outcome:
        """Runs a command that writes the digest of what it sent to a file, and adds that to its output."""
        told = self.home / "digest"
        told.unlink(missing_ok=True)
        outcome = self(command, f"--digestfile={told}", *arguments)
        digest = told.read_text() if told.exists() else ""
        return replace(outcome, output=f"{outcome.output}\n{digest}\n")


class Podman(_Containers, Engine):
    name = "podman"

    def take(self, image: Image, reference: str) -> None:
        self("load", "--quiet", "--input", str(image.archive(self._scratch))).ok()
        self("tag", f"localhost/{image.name}:latest", reference).ok()

    def push(self, reference: str, *options: str) -> Outcome:
        return self.telling_digest("push", *self.plain, *options, reference)

    def pull(self, reference: str) -> Outcome:
        return self("pull", *self.plain, reference)

    def start(self, reference: str) -> Outcome:
        return self("run", "--rm", "--pull=never", "--network", "none", reference)


class Buildah(_Containers, Engine):
    name = "buildah"

    def take(self, image: Image, reference: str) -> None:
        identity = self("pull", "--quiet", f"docker-archive:{image.archive(self._scratch)}").ok().strip()
        self("tag", identity, reference).ok()

    def push(self, reference: str, *options: str) -> Outcome:
        return self.telling_digest("push", *self.plain, *options, reference)

    def pull(self, reference: str) -> Outcome:
        return self("pull", *self.plain, reference)

    def start(self, reference: str) -> Outcome:
        """buildah runs a command in a container it has made from the image; the image's own is not implied."""
        container = self("from", "--pull-never", reference).ok().strip()
        try:
            return self("run", "--network", "none", container, "--", "python3", "app.py")
        finally:
            self("rm", container)


class Skopeo(_Containers):
    """Has no images of its own: they are OCI layouts in a folder, and a push or pull is a copy."""

    name = "skopeo"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._images: dict[str, Path] = {}

    def take(self, image: Image | Index, reference: str) -> None:
        self._images[reference] = image.layout(self._scratch)

    def push(self, reference: str, *options: str) -> Outcome:
        source = f"oci:{self._images[reference]}:latest"
        return self.telling_digest(
            "copy", f"--dest-tls-verify={str(self._verifies).lower()}", *options, source, f"docker://{reference}"
        )

    def pull(self, reference: str, *options: str) -> Outcome:
        target = f"oci:{self._scratch / 'pulled'}:{abs(hash(reference))}"
        return self(
            "copy", f"--src-tls-verify={str(self._verifies).lower()}", *options, f"docker://{reference}", target
        )
