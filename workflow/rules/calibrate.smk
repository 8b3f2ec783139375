# From scenarios to false alarms and power.
#
# Reads:  the config's `calibrate`
# Writes: parts/{scenario}_{chunk}.csv, studies.csv, calibration.csv, figures/calibration.{png,svg}


if study.calibrate:
    from piriform.calibrate.design import chunk_settings, chunks, scenarios_of

    CHUNKS = chunks(study)

    rule calibrate:
        """The verdicts on some of the studies of one scenario."""
        input:
            code=code("calibrate.py"),
        output:
            studies=f"{OUT}/parts/{{scenario}}_{{chunk}}.csv",
        log:
            f"{OUT}/logs/{{scenario}}_{{chunk}}.log",
        benchmark:
            f"{OUT}/benchmarks/{{scenario}}_{{chunk}}.tsv"
        wildcard_constraints:
            scenario="[a-z_]+",
            chunk="[0-9]+",
        params:
            studies=lambda wildcards: CHUNKS[wildcards.chunk],
            settings=chunk_settings(study),
        message:
            "Judge studies of {wildcards.scenario} ({wildcards.chunk})"
        script:
            "../scripts/calibrate.py"

    rule calibration:
        """False alarms and power of each scenario."""
        input:
            studies=expand(f"{OUT}/parts/{{scenario}}_{{chunk}}.csv", scenario=scenarios_of(study), chunk=CHUNKS),
            code=code("collect_calibration.py"),
        output:
            studies=f"{OUT}/studies.csv",
            calibration=f"{OUT}/calibration.csv",
            png=report(
                f"{OUT}/figures/calibration.png",
                caption="../report/calibration.rst",
                category="Figures",
            ),
            svg=f"{OUT}/figures/calibration.svg",
        log:
            f"{OUT}/logs/calibration.log",
        benchmark:
            f"{OUT}/benchmarks/calibration.tsv"
        params:
            alpha=study.verdict.alpha,
        message:
            "Count the verdicts"
        script:
            "../scripts/collect_calibration.py"
