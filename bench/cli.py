"""The command line: every command is a file in commands/, imported in full only when it runs."""

from __future__ import annotations

import sys

import typer

from ..foundation.errors import UserError
from .commands.check import app as check_app
from .commands.compare import compare
from .commands.data import app as data_app
from .commands.doctor import doctor
from .commands.encoders import app as encoders_app
from .commands.figure import app as figure_app
from .commands.generator import app as generator_app
from .commands.init import init
from .commands.leaderboard import leaderboard
from .commands.ls import ls
from .commands.pretrain import pretrain
from .commands.run import run
from .commands.stats import app as stats_app
from .commands.table import table

INTERRUPTED = 130

app = typer.Typer(
    name="cxrbench",
    help="Compare chest X-ray encoders: fair trials, kept predictions, honest tables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
app.command()(run)
app.command()(pretrain)
app.command()(table)
app.command()(compare)
app.command()(leaderboard)
app.command()(ls)
app.add_typer(check_app, name="check")
app.add_typer(data_app, name="data")
app.add_typer(encoders_app, name="encoders")
app.add_typer(figure_app, name="figure")
app.add_typer(generator_app, name="generator")
app.add_typer(stats_app, name="stats")
app.command()(doctor)
app.command()(init)


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"cxrbench {installed('cxrbench')}")
        raise typer.Exit


def main() -> None:
    """Run the command line. Exit code 0 done, 1 the answer is no, 2 wrong usage, 130 interrupted."""
    try:
        app()
    except UserError as error:
        print(f"cxrbench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        # What no command foresaw: a name too long for the file system, a disk that went away.
        print(f"cxrbench: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(UserError.exit_code)
    except (KeyboardInterrupt, SystemExit) as end:
        # Typer turns Ctrl-C into an exit without a word.
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        print("cxrbench: interrupted; what was finished is kept", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
