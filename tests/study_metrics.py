"""The table of metrics of a study, made by the scripts of the workflow one after another, without Snakemake."""

import importlib.util
from pathlib import Path

from piriform.tables import empty_table, load_table, save_table

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"
KINDS = ("metrics", "ladder", "predictions", "dynamics", "similarity", "scatter")


class Named(dict):
    """Paths by name, as Snakemake hands them to a script: by key and by attribute."""

    __getattr__ = dict.__getitem__


def script(name):
    """The ``main`` of a script of the workflow."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def metrics_csv(data, config, folder):
    """The path of metrics.csv of a folder or list of NWB files: index, align, measure, collect_metrics."""
    folder.mkdir(parents=True)
    settings = config.model_copy(update={"data": data})
    index = folder / "index.csv"
    script("index")(Named(sessions=index), settings=settings)
    table = load_table(index, "sessions")
    subjects = sorted(set(table["subject"][table["included"]]))
    for subject in subjects:
        trials = folder / f"{subject}.nc"
        aligned = Named(trials=trials) | {kind: folder / f"{kind}_{subject}.csv" for kind in ("sessions", "behavior")}
        script("align")(Named(index=index), Named(aligned), subject=subject, settings=settings)
        measured = Named({kind: folder / f"{kind}_{subject}.csv" for kind in KINDS if kind != "dynamics"})
        script("measure")(Named(trials=trials), measured, settings=settings)
        save_table(empty_table("dynamics"), "dynamics", folder / f"dynamics_{subject}.csv")
    parts = {kind: [folder / f"{kind}_{subject}.csv" for subject in subjects] for kind in KINDS}
    outputs = Named({kind: folder / f"{kind}.csv" for kind in KINDS}, parquet=folder / "metrics.parquet")
    script("collect_metrics")(Named(parts, sessions=index), outputs)
    return folder / "metrics.csv"
