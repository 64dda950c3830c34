"""The Helm chart of ``examples``, rendered by Helm itself; ``python -m tests.support.charts`` writes the plain manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"
CHART = EXAMPLES / "helm" / "havre"
FORMS = ("single", "replicated")
ORDER = ("settings", "network", "workload")
"""Of the chart's templates in a file of plain manifests."""


def values(form: str) -> dict[str, Any]:
    """What the example of a form sets."""
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / "helm" / f"values-{form}.yaml").read_text())
    return found


def render(given: dict[str, Any], name: str = "havre") -> str:
    """The documents that Helm makes of the chart with these values. Raises helm_python's errors."""
    import helm_python

    with helm_python.Chart.load(CHART) as chart:
        found = chart.render(given, name=name, namespace="default")
    texts = [found[f"havre/templates/{one}.yaml"].strip() for one in ORDER]
    return "".join(f"---\n{text}\n" for text in texts)


def plain(form: str) -> str:
    """The file of plain manifests of a form: what Helm makes, without its own labels."""
    head = f"# Made from the chart with values-{form}.yaml; read that first. Change the host, the image and the networks.\n"
    if form == "replicated":
        head += (
            "# The Secret havre-secrets holds HAVRE_DATABASE_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY:\n"
            "#   kubectl create secret generic havre-secrets --from-env-file=secrets.env\n"
        )
    left_out = ("app.kubernetes.io/managed-by:", "helm.sh/chart:", "checksum/settings:", "# Other settings are")
    lines = [line for line in render(values(form)).splitlines() if not line.strip().startswith(left_out)]
    return head + "\n".join(lines) + "\n"


def main() -> None:
    """Write the plain manifests."""
    for form in FORMS:
        (EXAMPLES / "kubernetes" / f"{form}.yaml").write_text(plain(form))


if __name__ == "__main__":
    main()
