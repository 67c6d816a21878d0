"""``/v1/metrics`` of the control API: the figures that Prometheus reads."""

from __future__ import annotations

from mailsuite.admin.resources import Desk, Document, JsonResource
from mailsuite.observe.metrics import CONTENT_TYPE, Metrics


def metrics_resource(desk: Desk, metrics: Metrics) -> JsonResource:
    """``GET`` -> ``{"content_type", "text"}``, the text as Prometheus takes it."""

    async def show(body: Document) -> tuple[int, Document]:
        return 200, {"content_type": CONTENT_TYPE, "text": metrics.text().decode()}

    return JsonResource(desk, {"GET": show})
