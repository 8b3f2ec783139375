# Networks that are trained past their plateau, and their comparison with the animals.
#
# Reads:  the config's `networks`; for the comparison metrics.csv, behavior.csv, sessions.csv and trials/*.nc
# Writes: networks/{experiment}/network_{measures,quantities,effects,claims}.csv, figures/networks_{experiment}.{png,svg},
#         networks/{trials/*.nc,metrics.csv,behavior.csv}, comparison.csv, rdms.csv, representations.csv,
#         figures/{comparison,representations}.{png,svg}, networks.html


rule network_experiment:
    """Train and measure the networks of one experiment."""
    input:
        code=experiment_code,
    output:
        measures=f"{OUT}/networks/{{experiment}}/network_measures.csv",
        quantities=f"{OUT}/networks/{{experiment}}/network_quantities.csv",
        effects=f"{OUT}/networks/{{experiment}}/network_effects.csv",
        claims=f"{OUT}/networks/{{experiment}}/network_claims.csv",
        about=f"{OUT}/networks/{{experiment}}/about.json",
    log:
        f"{OUT}/logs/network_{{experiment}}.log",
    benchmark:
        f"{OUT}/benchmarks/network_{{experiment}}.tsv"
    wildcard_constraints:
        experiment="[a-z_]+",
    params:
        settings=experiment_settings(study),
    message:
        "Train the networks of {wildcards.experiment}"
    script:
        "../scripts/network_experiment.py"


rule network_figures:
    """The picture of one experiment."""
    input:
        measures=rules.network_experiment.output.measures,
        quantities=rules.network_experiment.output.quantities,
        effects=rules.network_experiment.output.effects,
        about=rules.network_experiment.output.about,
        code=code("network_figures.py"),
    output:
        png=report(
            f"{OUT}/figures/networks_{{experiment}}.png",
            caption="../report/networks.rst",
            category="Networks",
        ),
        svg=f"{OUT}/figures/networks_{{experiment}}.svg",
    log:
        f"{OUT}/logs/network_figures_{{experiment}}.log",
    benchmark:
        f"{OUT}/benchmarks/network_figures_{{experiment}}.tsv"
    wildcard_constraints:
        experiment="[a-z_]+",
    message:
        "Draw the networks of {wildcards.experiment}"
    script:
        "../scripts/network_figures.py"


rule network_subjects:
    """Networks recorded and measured as the animals are."""
    input:
        sessions=f"{OUT}/sessions.csv",
        kernels=f"{OUT}/parts/kernels.txt",
        code=code("network_subjects.py"),
    output:
        trials=directory(f"{OUT}/networks/trials"),
        metrics=f"{OUT}/networks/metrics.csv",
        behavior=f"{OUT}/networks/behavior.csv",
    log:
        f"{OUT}/logs/network_subjects.log",
    benchmark:
        f"{OUT}/benchmarks/network_subjects.tsv"
    params:
        settings=pick(study, "seed", "measures", "verdict", "networks"),
    message:
        "Record networks as if they were animals"
    script:
        "../scripts/network_subjects.py"


rule comparison:
    """Which networks predict the animals?"""
    input:
        metrics=f"{OUT}/metrics.csv",
        behavior=f"{OUT}/behavior.csv",
        network_metrics=rules.network_subjects.output.metrics,
        network_behavior=rules.network_subjects.output.behavior,
        code=code("comparison.py"),
    output:
        table=f"{OUT}/comparison.csv",
        png=report(f"{OUT}/figures/comparison.png", caption="../report/comparison.rst", category="Networks"),
        svg=f"{OUT}/figures/comparison.svg",
    log:
        f"{OUT}/logs/comparison.log",
    benchmark:
        f"{OUT}/benchmarks/comparison.tsv"
    params:
        settings=pick(study, "verdict", "networks"),
    message:
        "Compare networks with animals"
    script:
        "../scripts/comparison.py"


rule representations:
    """Is the geometry of the networks that of the animals?"""
    input:
        trials=of_animals(f"{OUT}/trials/{{subject}}.nc"),
        network_trials=rules.network_subjects.output.trials,
        network_behavior=rules.network_subjects.output.behavior,
        code=code("representations.py"),
    output:
        rdms=f"{OUT}/rdms.csv",
        table=f"{OUT}/representations.csv",
        png=report(f"{OUT}/figures/representations.png", caption="../report/representations.rst", category="Networks"),
        svg=f"{OUT}/figures/representations.svg",
    log:
        f"{OUT}/logs/representations.log",
    benchmark:
        f"{OUT}/benchmarks/representations.tsv"
    params:
        settings=pick(study, "response", "measures"),
    message:
        "Compare the geometry of networks and animals"
    script:
        "../scripts/representations.py"


rule network_page:
    """One page about the networks that opens from disk."""
    input:
        about=expand(rules.network_experiment.output.about, experiment=study.networks.experiments),
        claims=expand(rules.network_experiment.output.claims, experiment=study.networks.experiments),
        figures=expand(rules.network_figures.output.svg, experiment=study.networks.experiments),
        comparison=rules.comparison.output.table if study.networks.compare else [],
        comparison_figure=rules.comparison.output.svg if study.networks.compare else [],
        representations=rules.representations.output.table if study.networks.compare else [],
        representations_figure=rules.representations.output.svg if study.networks.compare else [],
        code=code("network_page.py"),
    output:
        page=report(f"{OUT}/networks.html", caption="../report/networks_page.rst", category="Networks"),
    log:
        f"{OUT}/logs/network_page.log",
    benchmark:
        f"{OUT}/benchmarks/network_page.tsv"
    params:
        study=study.study,
    message:
        "Write the page about the networks"
    script:
        "../scripts/network_page.py"
