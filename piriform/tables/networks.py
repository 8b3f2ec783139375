"""Which tables do networks give, and what do their columns say?"""

from piriform.tables.columns import Column, share

_RUN = {
    "experiment": Column("text", "name of the experiment with networks"),
    "condition": Column("text", "how the network was trained"),
}


def _gain(trend: str) -> dict[str, Column]:
    return {
        f"mean_{trend}": Column(
            "number", f"by how much the squared error is smaller than that of the {trend}, per variance"
        ),
        f"low_{trend}": Column("number", "lower end of its 95% t interval over animals"),
        f"high_{trend}": Column("number", "upper end"),
        f"p_{trend}": share("one-sided t-test over animals that it is smaller"),
    }


NETWORKS: dict[str, dict[str, Column]] = {
    "comparison": {
        "metric": Column("text", "metric of animals and networks"),
        "candidate": Column(
            "text", "networks of one output scale; `any`: the best ones by the other animals; `line`; `logarithm`"
        ),
        "skill": Column(
            "number", "share of the variance within animals that is predicted for those left out", high=1.0
        ),
        "tau_days": Column("number", "fitted days in which a network takes as many steps as to its plateau"),
        "chosen": share("share of the animals left out for which the others chose these networks"),
        **_gain("line"),
        **_gain("logarithm"),
        "n_subjects": Column("integer", "animals with days from their plateau on"),
        "status": Column("text", "`ok`, or why there is no answer"),
    },
    "network_measures": {
        **_RUN,
        "seed": Column("integer", "number of the network within its condition; conditions share seeds"),
        "step": Column("integer", "training step of the checkpoint", low=0),
        "measure": Column("text", "name of the measure, see `docs/networks.md`"),
        "value": Column("number", "its value; empty where it is not defined or the network diverged"),
    },
    "network_quantities": {
        **_RUN,
        "seed": Column("integer", "number of the network within its condition"),
        "quantity": Column("text", "`plateau:`, `end:` or `gain:` and a measure, or a quantity of its own"),
        "value": Column("number", "its value; empty where it is not defined"),
    },
    "network_effects": {
        **_RUN,
        "quantity": Column("text", "as in `quantities.csv`"),
        "mean": Column("number", "mean over seeds"),
        "low": Column("number", "lower end of its 95% t interval over seeds"),
        "high": Column("number", "upper end"),
        "n_seeds": Column("integer", "seeds with a value"),
    },
    "network_claims": {
        "experiment": _RUN["experiment"],
        "claim": Column("text", "the statement"),
        "quantity": Column("text", "what is tested, as in `quantities.csv`"),
        "condition": _RUN["condition"],
        "minus": Column("text", "condition whose value with the same seed is subtracted; empty if none"),
        "expected": Column("text", "what the claim says of the mean", ("rises", "falls", "stays")),
        "bound": Column("number", "within which it stays; 0 for the other claims", low=0.0),
        "mean": Column("number", "mean over seeds"),
        "low": Column("number", "lower end of its 95% t interval over seeds"),
        "high": Column("number", "upper end"),
        "against": Column("number", "what the mean is compared with; 0 unless the claim names another value"),
        "n_seeds": Column("integer", "seeds with a value"),
        "p": share("one-sided t-test of the claim over seeds; of `stays` the larger of two"),
        "p_holm": share("the same with Holm's correction over the claims of the experiment"),
        "outcome": Column("text", "what came out", ("held", "opposite", "not shown")),
        "sentence": Column("text", "claim, outcome and numbers in words"),
    },
}
