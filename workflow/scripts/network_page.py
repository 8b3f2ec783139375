"""Write the page about the networks: claims, figures and the comparisons with the animals -> networks.html."""

import json
from pathlib import Path

from piriform.provenance import atomic_path, job_log
from piriform.report.networks import render_networks
from piriform.tables import load_table


def main(inputs, outputs, *, study):
    """Write the page, with everything inside."""
    experiments = [
        json.loads(Path(about).read_text()) | {"claims": load_table(claims, "network_claims"), "figure": Path(figure)}
        for about, claims, figure in zip(inputs["about"], inputs["claims"], inputs["figures"], strict=True)
    ]
    animals = {
        name: (load_table(inputs[name], name), Path(inputs[f"{name}_figure"]))
        for name in ("comparison", "representations")
        if inputs.get(name)
    }
    with atomic_path(outputs["page"]) as temporary:
        temporary.write_text(render_networks(experiments, title=study, **animals), encoding="utf-8")


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, study=snakemake.params.study)
