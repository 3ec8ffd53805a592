"""`sayso`: reads the command line and hands on.

Rule of this file: every SaysoError becomes lines on standard error and its exit code, here and nowhere else.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import List, NoReturn, Optional, Tuple

import click

from sayso import __version__
from sayso.cli.bench import bench
from sayso.cli.check import check
from sayso.cli.commands import commands
from sayso.cli.config import config
from sayso.cli.contract import contract
from sayso.cli.devices import devices
from sayso.cli.doctor import doctor
from sayso.cli.model import model
from sayso.cli.monitor import monitor
from sayso.cli.recognize import recognize
from sayso.cli.run import run
from sayso.cli.score import score
from sayso.cli.scorer import scorer
from sayso.cli.why import why
from sayso.errors import SaysoError


class _Commands(click.Group):
    """Says which command was meant, as click itself does from 8.2 on; Python 3.9 has an older one."""

    def resolve_command(
        self, ctx: click.Context, args: List[str]
    ) -> Tuple[Optional[str], Optional[click.Command], List[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if close and "Did you mean" not in error.format_message():
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None
            raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sayso")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="SAYSO_CONFIG",
    help="Settings file; without it /etc/sayso/sayso.toml, or the defaults.",
)
@click.pass_context
def sayso(context: click.Context, config_path: Optional[Path]) -> None:
    """Offline voice commands: from a microphone to an MQTT event."""
    context.obj = config_path


_COMMANDS = (
    run, monitor, recognize, score, why, check, commands, devices, config, model, bench, doctor, scorer, contract,
)  # fmt: skip
for _command in _COMMANDS:
    sayso.add_command(_command)


def main() -> NoReturn:
    """Run the command line. Exit 0, or with the code of what went wrong."""
    try:
        status = sayso.main(standalone_mode=False)
    except SaysoError as error:
        for problem in error.problems:
            click.echo(f"sayso: {problem}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    # A subcommand that ends early by click's own means leaves its status here.
    sys.exit(status or 0)
