"""Which tables do networks give, and what do their columns say?"""

from piriform.tables.columns import Column, share

#: Which sessions of an animal, and by what an RDM of theirs is compared, in the table ``representations``.
WINDOWS = ("overtraining", "early", "late")
SCORES = ("cosine", "tau-a", "movement")

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
            "text",
            "networks of one output scale, loss and rank; `any`: the best ones by the other animals; `line`; `logarithm`; "
            "`behavior`: the animal's own, where it varies; `other animals`: their mean curve, what animals say about each other",
        ),
        "skill": Column(
            "number", "share of the variance within animals that is predicted for those left out", high=1.0
        ),
        "seed_low": Column("number", "least skill of the curves of single networks", high=1.0),
        "seed_high": Column("number", "largest skill of the curves of single networks", high=1.0),
        "tau_days": Column("number", "fitted days in which a network takes as many steps as to its plateau"),
        "chosen": share("share of the animals left out for which the others chose these networks"),
        **_gain("line"),
        **_gain("logarithm"),
        "n_networks": Column(
            "integer",
            "networks of this kind with a curve: those that reached a plateau and were trained long after it",
            low=0,
        ),
        "n_subjects": Column("integer", "animals with days from their plateau on"),
        "status": Column("text", "`ok`, or why there is no answer"),
    },
    "rdms": {
        "source": Column(
            "text", "recording, network, or a model that a network has to beat", ("neural", "network", "model")
        ),
        "stage": Column("text", "checkpoint of a network: `start`, `plateau`, `end`", ("start", "plateau", "end", "")),
        "subject": Column("text", "animal; network, which is regime-seed; or name of the model"),
        "session": Column("text", "recording, or checkpoint"),
        "day": Column("integer", "day of training; step for a network, 0 for a model"),
        "phase": Column("text", "training, overtraining, or empty where it is not known"),
        "condition_1": Column("text", "class and stratum"),
        "condition_2": Column("text", "another one"),
        "distance": Column(
            "number", "crossnobis distance, noise variances per unit; negative values occur; empty: see status"
        ),
        "n_trials_1": Column("integer", "trials of the first condition", low=0),
        "n_trials_2": Column("integer", "trials of the second", low=0),
        "n_units": Column("integer", "units", low=0),
        "status": Column("text", "`ok`, or why there is no distance"),
    },
    "representations": {
        "sessions": Column("text", "overtraining sessions of the animals: all, or their first or last half", WINDOWS),
        "score": Column(
            "text",
            "`cosine` and `tau-a` of an animal's mean RDM and the candidate's; `movement`: slope over days of the "
            "share of the end in the session's RDM; empty where there is no answer",
            (*SCORES, ""),
        ),
        "candidate": Column("text", "networks of one regime, or a model"),
        "stage": Column("text", "checkpoint of the networks; empty for a model", ("start", "plateau", "end", "")),
        "minus": Column("text", "stage or model whose score is subtracted, or from which the movement leads away"),
        "mean": Column("number", "mean over animals"),
        "low": Column(
            "number", "lower end of its 95% t interval over animals; of a difference, over animals and networks"
        ),
        "high": Column("number", "upper end"),
        "p": share("one-sided t-test, over the same, that a difference or movement is above 0"),
        "p_holm": share("the same with Holm's correction over the regimes with the same score and `minus`"),
        "ceiling_low": Column("number", "how well the other animals' mean RDM predicts an animal's, mean over animals"),
        "ceiling_high": Column("number", "how well the mean RDM of all animals does"),
        "n_subjects": Column("integer", "animals", low=0),
        "conditions": Column("text", "what was compared, by commas"),
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
        "quantity": Column("text", "`plateau:`, `end:`, `gain:` or `gain5:` and a measure, or a quantity of its own"),
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
        "p_contrary": share("p of the contrary, with Holm's correction over the contraries"),
        "outcome": Column("text", "what came out", ("held", "opposite", "not shown")),
        "sentence": Column("text", "claim, outcome and numbers in words"),
    },
}
