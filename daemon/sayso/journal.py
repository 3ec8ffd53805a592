"""What the journal is told of an outcome.

Rule of this file: what was said to Sayso is logged with its meaning; of what was not, only the reason. It is nobody's
business.
"""

from __future__ import annotations

import logging

from sayso.records import Command, Heard, Wake

logger = logging.getLogger(__name__)


def tell(heard: Heard, id_: str) -> None:
    """Given an outcome or a wake phrase and the id under which it was published, log it.

    The journal gets fields to search by, too.
    """
    if isinstance(heard, Wake):
        logger.info('woken by "%s" (%.2f)', heard.phrase, heard.confidence, extra={"SAYSO_ID": id_})
        return
    if isinstance(heard, Command):
        fields = {
            "SAYSO_INTENT": heard.intent,
            "SAYSO_CONFIDENCE": f"{heard.confidence:.3f}",
            "SAYSO_ID": id_,
        }
        logger.info(
            '"%s" -> %s %s (%.2f, %.0f ms)',
            heard.text, heard.intent, dict(heard.slots), heard.confidence, heard.timings.final,
            extra=fields,
        )  # fmt: skip
        return
    fields = {"SAYSO_REASON": heard.reason, "SAYSO_ID": id_}
    logger.info("rejected: %s (%.2f)", heard.reason, heard.confidence, extra=fields)
