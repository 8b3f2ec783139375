"""What can be asked on the command line? Thin: parses, calls, prints.

Exit codes: 0 done, 1 nothing could be analysed or the run failed, 2 wrong usage or config.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from piriform import __version__
from piriform.errors import ConfigError, PiriformError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Does the brain keep learning after behaviour has stopped improving?",
)


def main() -> None:
    """Run the command line; an error of the input prints as one sentence."""
    try:
        app()
    except PiriformError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def _ending_with(title: str, rows: Callable[[], Iterable[tuple[str, str]]]) -> type[typer.core.TyperCommand]:
    """A kind of command whose help ends with a list of names and meanings; they are imported only when it is printed."""

    class Command(typer.core.TyperCommand):
        """The command."""

        def format_epilog(self, ctx: Any, formatter: Any) -> None:
            """Write one line per name."""
            with formatter.section(title):
                formatter.write_dl(list(rows()))

    return Command


def _scenarios() -> Iterable[tuple[str, str]]:
    from piriform.simulate import SCENARIOS

    return ((name, meaning) for name, (meaning, _) in SCENARIOS.items())


def _formats() -> Iterable[tuple[str, str]]:
    from piriform.convert import descriptions

    return descriptions().items()


def _experiments() -> Iterable[tuple[str, str]]:
    from piriform.networks.experiments import QUESTIONS

    return QUESTIONS.items()


@app.command(cls=_ending_with("Scenarios", _scenarios))
def simulate(
    dest: Annotated[Path, typer.Argument(help="folder to write to")],
    scenario: Annotated[str, typer.Option(help="the known truth, one of those below")] = "growth",
    seed: Annotated[int, typer.Option(min=0)] = 1,
    subjects: Annotated[int, typer.Option(min=1, max=26)] = 4,
    days: Annotated[int, typer.Option(min=1, max=99)] = 18,
) -> None:
    """Write a study with known truth as NWB; the truth goes to DEST/truth.json."""
    from piriform.simulate import simulate_study

    simulate_study(dest, scenario=scenario, subjects=subjects, days=days, seed=seed, parameters={}, progress=print)
    print(f"wrote {dest}")


@app.command(cls=_ending_with("Formats", _formats))
def convert(
    format: Annotated[str, typer.Argument(metavar="FORMAT", help="one of those below")],
    src: Annotated[Path, typer.Argument(help="file or folder to read")],
    dest: Annotated[Path, typer.Argument(help="folder to write to")],
) -> None:
    """Turn published files or plain tables into NWB, one file per session.

    A session that cannot be converted is named with the reason, and the others go on; the exit code is then 1.
    DEST/converted.json lists the files and the refused sessions. Each file says which source files (with their
    SHA-256) and which version it is made from. The same source gives the same bytes.
    """
    from piriform.convert import conversion, write_manifest

    done = conversion(format, src, dest, progress=print)
    if done.files:
        write_manifest(done, dest, format=format, source=str(src))
    print(f"wrote {len(done.check().files)} sessions to {dest}")


@app.command()
def check(
    study: Annotated[str, typer.Argument(help="folder of NWB files, one per session, or the address of one")],
    config: Annotated[Path | None, typer.Option(help="YAML file that maps the lab's columns to ours")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Tell what a study holds and what is missing, and propose a config where there is none that fits.

    Nothing is computed. Ends with 1 if no session could be used.
    """
    from piriform.check import check_lines, check_study
    from piriform.provenance import json_text

    found = check_study(study, config=config)
    print(json_text(found) if as_json else check_lines(found), end="")
    if not found["n_usable"]:
        raise typer.Exit(1)


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="folder of NWB files, one per session, or the address of one")],
    config: Annotated[Path | None, typer.Option(help="YAML file that maps the lab's columns to ours")] = None,
    out: Annotated[Path | None, typer.Option(help="folder for results (default: results)")] = None,
    cores: Annotated[int, typer.Option(min=1, help="jobs at once")] = 2,
    profile: Annotated[str | None, typer.Option(help="Snakemake profile: slurm, or a folder")] = None,
) -> None:
    """Run the workflow on a study: tables, verdict, figures, report."""
    from piriform.run import closing_lines, run_command, snakemake_command, start, study_config

    chosen = study_config(study, config=config, out=out)
    path = start(chosen)
    if run_command(snakemake_command(path, cores=cores, profile=profile)):
        print(f"error: the run failed; what the jobs said: {chosen.out / 'logs'}", file=sys.stderr)
        raise typer.Exit(1)
    print(closing_lines(chosen.out))


@app.command()
def detect(
    metrics: Annotated[Path, typer.Argument(help="metrics.csv")],
    behavior: Annotated[Path, typer.Argument(help="behavior.csv")],
    as_json: Annotated[bool, typer.Option("--json", help="print verdict.json")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file with the rule of the verdict")] = None,
    ladder: Annotated[Path | None, typer.Option(help="ladder.csv, to show the trend under each control")] = None,
) -> None:
    """Apply the statistics alone to two tables and print the verdict."""
    from piriform.config import Verdict, load_config
    from piriform.progress import detect as decide
    from piriform.provenance import json_text
    from piriform.tables import load_table

    study = load_config(config) if config else None
    result = decide(
        load_table(metrics, "metrics"),
        load_table(behavior, "behavior"),
        verdict=study.verdict if study else Verdict(),
        ladder=load_table(ladder, "ladder") if ladder else None,
        plateau=study.plateau if study else None,
        seed=study.seed if study else 1,
        config_sha256=study.digest() if study else "",
    )
    print(
        json_text(result) if as_json else f"verdict: {result['verdict']}. {result['sentence']}",
        end="" if as_json else "\n",
    )


@app.command()
def power(
    results: Annotated[Path, typer.Argument(metavar="RESULTS_OR_METRICS", help="folder of results, or a metrics.csv")],
    subjects: Annotated[str, typer.Option(help="numbers of subjects to tell of")] = "4,6,8,12",
    days: Annotated[
        int | None, typer.Option(help="overtraining sessions per subject (default: this study's, and twice as many)")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file with the rule of the verdict")] = None,
) -> None:
    """Tell the smallest change that a study like this finds, and what more subjects or days would."""
    from piriform.config import Verdict, load_config
    from piriform.power import power_lines, study_power
    from piriform.provenance import json_text
    from piriform.tables import load_table

    path = results if results.suffix == ".csv" else results / "metrics.csv"
    own = path.with_name("config.yaml")
    chosen = config or (own if own.is_file() else None)
    behavior = path.with_name("behavior.csv")
    found = study_power(
        load_table(path, "metrics"),
        load_table(behavior, "behavior") if behavior.is_file() else None,
        verdict=load_config(chosen).verdict if chosen else Verdict(),
        subjects=_numbers(subjects),
        days=days,
    )
    print(json_text(found) if as_json else power_lines(found), end="" if as_json else "\n")


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ConfigError(f"--subjects {text}: expected whole numbers with commas, e.g. 4,6,8") from None


@app.command(cls=_ending_with("Scenarios", _scenarios))
def calibrate(
    studies: Annotated[int | None, typer.Option(min=1, help="studies per scenario (default: 400)")] = None,
    scenarios: Annotated[str | None, typer.Option(help="scenarios, with commas between (default: all)")] = None,
    subjects: Annotated[int | None, typer.Option(min=1, max=26, help="animals per study (default: 4)")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=99, help="sessions per animal (default: 18)")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of the study whose analysis is calibrated")] = None,
    like: Annotated[Path | None, typer.Option(help="results of a finished study whose design is simulated")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    cores: Annotated[int, typer.Option(min=1, help="jobs at once")] = 2,
    out: Annotated[Path, typer.Option(help="folder for results; they go to its folder calibration")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="print the table as JSON")] = False,
) -> None:
    """Simulate many studies per scenario and count the verdicts: false alarms and power.

    A killed calibration goes on where it was when it is started again.
    """
    from piriform.calibrate.design import calibration_config
    from piriform.calibrate.launch import TARGET, read_calibration
    from piriform.calibrate.summary import text_lines
    from piriform.provenance import json_text
    from piriform.run import run_target

    names = None if scenarios is None else [name.strip() for name in scenarios.split(",") if name.strip()]
    numbers = {"studies": studies, "scenarios": names, "subjects": subjects, "days": days}
    chosen = calibration_config(config=config, like=like, out=out, seed=seed, **numbers)
    if run_target(chosen, TARGET, cores=cores):
        print(f"error: the calibration failed; what the jobs said: {chosen.out / 'logs'}", file=sys.stderr)
        raise typer.Exit(1)
    table = read_calibration(chosen.out)
    print(json_text(table.to_dict("records")) if as_json else "\n".join(text_lines(table)), end="" if as_json else "\n")


@app.command(cls=_ending_with("Experiments", _experiments))
def networks(
    experiment: Annotated[
        list[str] | None, typer.Option(help="one of those below, may be repeated (default: all)")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="networks per condition")] = 10,
    short: Annotated[bool, typer.Option("--short", help="the main conditions only")] = False,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    cores: Annotated[int, typer.Option(min=1, help="jobs at once")] = 2,
    out: Annotated[Path, typer.Option(help="folder for results; they go to its folder networks")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="print the claims as JSON")] = False,
) -> None:
    """Train networks past their plateau and say which claims about late learning hold.

    A killed run goes on where it was when it is started again.
    """
    from piriform.model_branch import TARGET, claim_lines, networks_config, read_claims
    from piriform.networks import backend
    from piriform.provenance import json_text
    from piriform.run import run_target

    backend.check()
    chosen = networks_config(experiment, seeds=seeds, full=not short, seed=seed, out=out)
    if run_target(chosen, TARGET, cores=cores):
        print(f"error: the experiments failed; what the jobs said: {chosen.out / 'logs'}", file=sys.stderr)
        raise typer.Exit(1)
    claims = read_claims(chosen)
    print(json_text(claims.to_dict("records")) if as_json else claim_lines(claims), end="")
    print(f"page: {chosen.out / 'networks.html'}", file=sys.stderr)


@app.command()
def report(results: Annotated[Path, typer.Argument(help="folder of one study's results")]) -> None:
    """Draw the figures and the report of finished results again."""
    from piriform.run import closing_lines, redraw

    redraw(results)
    print(closing_lines(results))


if __name__ == "__main__":
    main()
