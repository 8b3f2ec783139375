# From trials to metrics.
#
# Reads:  trials/{subject}.nc, sessions.csv
# Writes: parts/kernels.txt, parts/{metrics,ladder,predictions,dynamics,similarity,scatter}_{subject}.csv, the same without {subject}, metrics.parquet


rule kernels:
    """The decoders as machine code, before many jobs compile them side by side."""
    input:
        code=code("kernels.py"),
    output:
        kernels=f"{OUT}/parts/kernels.txt",
    log:
        f"{OUT}/logs/kernels.log",
    benchmark:
        f"{OUT}/benchmarks/kernels.tsv"
    params:
        solver=study.measures.solver,
    message:
        "Compile the decoders"
    script:
        "../scripts/kernels.py"


rule measure:
    """Every metric of every session of one subject."""
    input:
        trials=f"{OUT}/trials/{{subject}}.nc",
        kernels=rules.kernels.output.kernels,
        code=code("measure.py"),
    output:
        metrics=f"{OUT}/parts/metrics_{{subject}}.csv",
        ladder=f"{OUT}/parts/ladder_{{subject}}.csv",
        predictions=f"{OUT}/parts/predictions_{{subject}}.csv",
        similarity=f"{OUT}/parts/similarity_{{subject}}.csv",
        scatter=f"{OUT}/parts/scatter_{{subject}}.csv",
    log:
        f"{OUT}/logs/measure_{{subject}}.log",
    benchmark:
        f"{OUT}/benchmarks/measure_{{subject}}.tsv"
    params:
        settings=pick(study, "seed", "response", "classes", "inclusion", "measures"),
    message:
        "Measure the sessions of {wildcards.subject}"
    script:
        "../scripts/measure.py"


rule dynamics:
    """Decoding over time in every session of one subject."""
    input:
        trials=f"{OUT}/trials/{{subject}}.nc",
        kernels=rules.kernels.output.kernels,
        code=code("dynamics.py"),
    output:
        dynamics=f"{OUT}/parts/dynamics_{{subject}}.csv",
    log:
        f"{OUT}/logs/dynamics_{{subject}}.log",
    benchmark:
        f"{OUT}/benchmarks/dynamics_{{subject}}.tsv"
    params:
        settings=pick(study, "seed", "response", "classes", "inclusion", "measures", "dynamics"),
    message:
        "Decode over time in the sessions of {wildcards.subject}"
    script:
        "../scripts/dynamics.py"


rule collect_metrics:
    """The tables of all subjects; fails where no session could be analysed, and says why."""
    input:
        sessions=f"{OUT}/sessions.csv",
        metrics=of_subjects(f"{OUT}/parts/metrics_{{subject}}.csv"),
        ladder=of_subjects(f"{OUT}/parts/ladder_{{subject}}.csv"),
        predictions=of_subjects(f"{OUT}/parts/predictions_{{subject}}.csv"),
        dynamics=of_subjects(f"{OUT}/parts/dynamics_{{subject}}.csv"),
        similarity=of_subjects(f"{OUT}/parts/similarity_{{subject}}.csv"),
        scatter=of_subjects(f"{OUT}/parts/scatter_{{subject}}.csv"),
        code=code("collect_metrics.py"),
    output:
        metrics=f"{OUT}/metrics.csv",
        parquet=f"{OUT}/metrics.parquet",
        ladder=f"{OUT}/ladder.csv",
        predictions=f"{OUT}/predictions.csv",
        dynamics=f"{OUT}/dynamics.csv",
        similarity=f"{OUT}/similarity.csv",
        scatter=f"{OUT}/scatter.csv",
    log:
        f"{OUT}/logs/collect_metrics.log",
    benchmark:
        f"{OUT}/benchmarks/collect_metrics.tsv"
    message:
        "Collect the metrics"
    script:
        "../scripts/collect_metrics.py"
