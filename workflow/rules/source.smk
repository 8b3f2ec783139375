# Where the recordings come from, for a study that is made here.
#
# Reads:  the config's `simulate` or `convert`; published files
# Writes: {data}/*.nwb, and {data}/truth.json or {data}/converted.json, which name them, last


if study.simulate:

    rule simulate:
        """A study with known truth."""
        input:
            code=code("simulate.py"),
        output:
            truth=f"{DATA}/truth.json",
        log:
            f"{OUT}/logs/simulate.log",
        benchmark:
            f"{OUT}/benchmarks/simulate.tsv"
        params:
            settings=pick(study, "simulate"),
        message:
            f"Simulate a study in {DATA}"
        script:
            "../scripts/simulate.py"


if study.convert:

    from piriform.convert import files_below

    rule convert:
        """Published files or plain tables as NWB; a session that is refused is listed in the manifest."""
        input:
            source=files_below(SOURCE),
            code=code("convert.py"),
        output:
            manifest=f"{DATA}/converted.json",
        log:
            f"{OUT}/logs/convert.log",
        benchmark:
            f"{OUT}/benchmarks/convert.tsv"
        params:
            settings=pick(study, "convert"),
        message:
            f"Convert {SOURCE} to NWB"
        script:
            "../scripts/convert.py"
