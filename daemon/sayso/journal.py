"""What the journal is told of an outcome.

Rule of this file: what was said to Sayso is logged with its meaning; of what was not, only the reason. It is nobody's
business.
"""

from __future__ import annotations

import logging

from sayso.records import Command, Outcome

logger = logging.getLogger(__name__)


def tell(outcome: Outcome, id_: str) -> None:
    """Given an outcome and the id under which it was published, log it; the journal gets fields to search by, too."""
    if isinstance(outcome, Command):
        fields = {
            "SAYSO_INTENT": outcome.intent,
            "SAYSO_CONFIDENCE": f"{outcome.confidence:.3f}",
            "SAYSO_ID": id_,
        }
        logger.info(
            '"%s" -> %s %s (%.2f, %.0f ms)',
            outcome.text, outcome.intent, dict(outcome.slots), outcome.confidence, outcome.timings.final,
            extra=fields,
        )  # fmt: skip
        return
    fields = {"SAYSO_REASON": outcome.reason, "SAYSO_ID": id_}
    logger.info("rejected: %s (%.2f)", outcome.reason, outcome.confidence, extra=fields)
