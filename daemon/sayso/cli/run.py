"""`sayso run`: the daemon in the foreground."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Optional

import click
import systemd.journal

from sayso.cli.settings import commands_option, model_option, overrides, settings
from sayso.native_stderr import unborrowed
from sayso.service import Service


@click.command()
@commands_option
@model_option
@click.pass_context
def run(context: click.Context, commands: Optional[Path], model: Optional[Path]) -> None:
    """Listen, recognise and publish, until SIGTERM. SIGHUP reads the sentences again."""
    config = settings(context, overrides(commands, model))
    _log_to_journal_or_terminal(config.log.level)
    Service(config).run()


def _log_to_journal_or_terminal(level: str) -> None:
    """Send log lines where they belong: with their fields to the journal under systemd, else to standard error."""
    handler: logging.Handler
    if "JOURNAL_STREAM" in os.environ:
        handler = systemd.journal.JournalHandler(SYSLOG_IDENTIFIER="sayso")
        handler.setFormatter(logging.Formatter("%(message)s"))  # the journal knows level and origin by itself
    else:
        handler = logging.StreamHandler(unborrowed())
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
