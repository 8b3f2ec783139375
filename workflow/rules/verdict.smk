# From tables to the verdict, the figures and the report.
#
# Reads:  metrics.csv, ladder.csv, behavior.csv, sessions.csv, predictions.csv, dynamics.csv, similarity.csv, scatter.csv
# Writes: verdict.json, transitions.csv, figures/*.{png,svg}, report.html


rule verdict:
    """Hidden progress or not, with every number behind it."""
    input:
        metrics=f"{OUT}/metrics.csv",
        ladder=f"{OUT}/ladder.csv",
        behavior=f"{OUT}/behavior.csv",
        code=code("verdict.py"),
    output:
        verdict=f"{OUT}/verdict.json",
    log:
        f"{OUT}/logs/verdict.log",
    benchmark:
        f"{OUT}/benchmarks/verdict.tsv"
    params:
        settings=pick(study, *type(study).model_fields),
    message:
        "Decide"
    script:
        "../scripts/verdict.py"


rule transitions:
    """Single stimuli that go from wrong to right."""
    input:
        predictions=f"{OUT}/predictions.csv",
        code=code("transitions.py"),
    output:
        transitions=f"{OUT}/transitions.csv",
    log:
        f"{OUT}/logs/transitions.log",
    benchmark:
        f"{OUT}/benchmarks/transitions.tsv"
    params:
        settings=pick(study, "seed", "transitions"),
    message:
        "Test the changes of single stimuli"
    script:
        "../scripts/transitions.py"


rule figures:
    """The pictures of the tables."""
    input:
        verdict=f"{OUT}/verdict.json",
        behavior=f"{OUT}/behavior.csv",
        metrics=f"{OUT}/metrics.csv",
        ladder=f"{OUT}/ladder.csv",
        predictions=f"{OUT}/predictions.csv",
        dynamics=f"{OUT}/dynamics.csv",
        transitions=f"{OUT}/transitions.csv",
        similarity=f"{OUT}/similarity.csv",
        scatter=f"{OUT}/scatter.csv",
        code=code("figures.py"),
    output:
        png=[
            report(
                f"{OUT}/figures/{name}.png",
                caption=f"../report/{name}.rst",
                category="Figures",
            )
            for name in FIGURES
        ],
        svg=[f"{OUT}/figures/{name}.svg" for name in FIGURES],
    log:
        f"{OUT}/logs/figures.log",
    benchmark:
        f"{OUT}/benchmarks/figures.tsv"
    message:
        "Draw the figures"
    script:
        "../scripts/figures.py"


rule render:
    """One page that opens from disk: verdict, figures, methods, exclusions."""
    input:
        verdict=f"{OUT}/verdict.json",
        sessions=f"{OUT}/sessions.csv",
        behavior=f"{OUT}/behavior.csv",
        metrics=f"{OUT}/metrics.csv",
        transitions=f"{OUT}/transitions.csv",
        figures=rules.figures.output.png,
        svg=rules.figures.output.svg,
        code=code("report.py"),
    output:
        report=report(f"{OUT}/report.html", caption="../report/report.rst", category="Report"),
    log:
        f"{OUT}/logs/report.log",
    benchmark:
        f"{OUT}/benchmarks/report.tsv"
    params:
        settings=pick(study, *type(study).model_fields),
    message:
        "Write the report"
    script:
        "../scripts/report.py"
