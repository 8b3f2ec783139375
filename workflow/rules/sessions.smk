# From files to trials: which sessions there are, what enters, and behaviour.
#
# Reads:  {data}/*.nwb, files and Zarr folders here or on servers
# Writes: index.csv, trials/{subject}.nc, parts/{sessions,behavior}_{subject}.csv, sessions.csv, behavior.csv


checkpoint index:
    """The sessions of the study, from the headers of the files alone."""
    input:
        recordings=recordings,
        code=code("index.py"),
    output:
        sessions=f"{OUT}/index.csv",
    log:
        f"{OUT}/logs/index.log",
    benchmark:
        f"{OUT}/benchmarks/index.tsv"
    params:
        settings=pick(study, "data", "trials", "phases", "inclusion"),
        folders=folder_state(FILES),
    message:
        f"Find the sessions of {DATA}"
    script:
        "../scripts/index.py"


rule align:
    """Trial tensors, inclusion and behaviour of one animal."""
    input:
        files=files_of,
        extra=EXTRA,
        index=f"{OUT}/index.csv",
        code=code("align.py"),
    output:
        trials=f"{OUT}/trials/{{subject}}.nc",
        sessions=f"{OUT}/parts/sessions_{{subject}}.csv",
        behavior=f"{OUT}/parts/behavior_{{subject}}.csv",
    log:
        f"{OUT}/logs/align_{{subject}}.log",
    benchmark:
        f"{OUT}/benchmarks/align_{{subject}}.tsv"
    wildcard_constraints:
        subject="(?!pooled$)[^/]+",
    params:
        settings=pick(study, "response", "trials", "classes", "phases", "inclusion", "plateau"),
        folders=folders_of,
    message:
        "Align the trials of {wildcards.subject}"
    script:
        "../scripts/align.py"


rule pool:
    """One pseudo-population of the units of all sessions."""
    input:
        trials=of_animals(f"{OUT}/trials/{{subject}}.nc"),
        code=code("pool.py"),
    output:
        trials=f"{OUT}/trials/pooled.nc",
    log:
        f"{OUT}/logs/pool.log",
    benchmark:
        f"{OUT}/benchmarks/pool.tsv"
    message:
        "Pool the units of all sessions"
    script:
        "../scripts/pool.py"


rule collect_sessions:
    """What entered and what did not, and behaviour, of all animals."""
    input:
        index=f"{OUT}/index.csv",
        sessions=of_animals(f"{OUT}/parts/sessions_{{subject}}.csv"),
        behavior=of_animals(f"{OUT}/parts/behavior_{{subject}}.csv"),
        code=code("collect_sessions.py"),
    output:
        sessions=f"{OUT}/sessions.csv",
        behavior=f"{OUT}/behavior.csv",
    log:
        f"{OUT}/logs/collect_sessions.log",
    benchmark:
        f"{OUT}/benchmarks/collect_sessions.tsv"
    message:
        "Collect sessions and behaviour"
    script:
        "../scripts/collect_sessions.py"
