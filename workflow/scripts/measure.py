"""Measure all sessions of one subject: trials/{subject}.nc -> parts/{metrics,ladder,predictions,similarity,scatter}_{subject}.csv."""

import pandas as pd

from piriform.config import restore
from piriform.measure import session_metrics
from piriform.provenance import job_log
from piriform.tables import empty_table, save_table
from piriform.task import composition, matched_counts
from piriform.tracking import sessions_before
from piriform.trials import load_trials, session_names
from piriform.views import ladder, predictions, scatter, similarity


def main(inputs, outputs, *, settings):
    """Write the five tables of one subject; a subject without sessions gives empty tables."""
    tensors = [load_trials(inputs.trials, session) for session in session_names(inputs.trials)]
    parts = {"measures": settings.measures, "response": settings.response, "classes": settings.classes}
    counts = matched_counts(tensors, **parts, inclusion=settings.inclusion)
    seen = {"response": settings.response, "classes": settings.classes}
    shares = composition(tensors, **seen)
    apart, least = settings.measures.days_apart, settings.inclusion.min_units
    earlier = sessions_before(tensors, days_apart=apart, min_units=least)
    rows = []
    for number, (tensor, before) in enumerate(zip(tensors, earlier, strict=True), start=1):
        print(f"session {tensor.attrs['session']} ({number} of {len(tensors)})", flush=True)
        rows += session_metrics(tensor, **parts, **counts, shares=shares, seed=settings.seed, before=before)
    save("metrics", [pd.DataFrame(rows)] if rows else [], outputs.metrics)
    save("ladder", [ladder(tensor, **parts, shares=shares) for tensor in tensors], outputs.ladder)
    save("predictions", [predictions(tensor, **parts) for tensor in tensors], outputs.predictions)
    save("similarity", [similarity(tensor, **seen) for tensor in tensors], outputs.similarity)
    save("scatter", [scatter(tensors, **parts)], outputs.scatter)


def save(kind, tables, path):
    """Write the rows of all sessions as one table."""
    filled = [table for table in tables if len(table)]
    save_table(pd.concat(filled, ignore_index=True) if filled else empty_table(kind), kind, path)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, settings=restore(snakemake.params.settings))
