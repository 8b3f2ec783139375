"""What does each figure show, and what would it show if there were nothing? Names, titles, captions.

The captions of the report and of ``workflow/report/*.rst`` are these texts; a test compares them.
"""

TITLES = {
    "behavior": "Behaviour over days",
    "metrics": "Neural metrics over days",
    "ladder": "Separation under one control after the other",
    "decoding_vs_behavior": "Decoding against behaviour",
    "similarity": "Similarity of population responses, early and late",
    "scatter": "Population responses on fixed axes",
    "margins": "Distances to the decision boundary",
    "dynamics": "Decoding over time, early and late",
    "transitions": "Single stimuli from wrong to right",
    "verdict": "Slopes behind the verdict",
}

NAMES = tuple(TITLES)

#: Id, inside the SVG, of a figure that consists of a sentence; the report shows the sentence as text.
NOTHING_ID = "nothing-to-show"

CAPTIONS = {
    "behavior": (
        "Fraction of correct trials per session. Top: one line per subject, the mean over target and nontarget "
        "stimuli; black: mean over the subjects recorded on that day, band: plus and minus one standard error over "
        "subjects. Below: each subject alone with its 95% Wilson intervals, and thin lines for the classes. Triangles "
        "and vertical lines: the first day on the behavioural plateau. Shaded: overtraining. With two choices, guessing "
        "gives 0.5 (dashed). "
        "A study without recorded choices has no curve."
    ),
    "metrics": (
        "One panel per metric, the primary one first; every value is an average over random draws with the same "
        "numbers of units and of trials in all sessions of a subject; the arrow is the way learning moves it. Thin lines: subjects; black: mean over subjects, "
        "band: plus and minus one standard error. Dashed grey: the value when activity carries no information about "
        "the classes (a metric without such a fixed value has no line). Dotted grey: mean over label permutations. "
        "Open circles: the primary metric on the fixed stimuli alone. Triangles: plateau days of behaviour; shaded: "
        "overtraining. With "
        "a single session per subject each dot is a session, its bar the SD over draws, and the grey bar the "
        "permutations' mean plus and minus two SD; the pooled population is all units of all sessions together."
    ),
    "ladder": (
        "Cross-validated squared separation of target and nontarget, with one control more in each panel from left to "
        "right, relative to each subject's mean in overtraining. No control: summed over units, parts of the session "
        "interleaved. Mean over units: the number of units no longer counts. Blocks with trend: slow drift within the "
        "session is taken out. Fixed stimulus mix: kinds of nontargets in the same shares on all days. Relative to rate: "
        "differences in units of each unit's own rate, which a change of all rates leaves as they are; this is the primary "
        "metric. A trend that one of the controls removes was not one of separation. Thin lines: subjects; black: mean, "
        "band: plus and minus one standard error. Dashed: the value without any separation. Shaded: overtraining."
    ),
    "decoding_vs_behavior": (
        "One point per session: decoding accuracy, and the primary metric, against behavioural accuracy. Colour: day "
        "of training; circles: training, triangles: overtraining, squares: phase unknown. Dashed: the value when activity "
        "carries no information. If neural change ended with the behavioural change, late sessions would lie on top of "
        "one another; a column of points that climbs at constant behaviour is what hidden progress looks like. The figure "
        "shows no test."
    ),
    "similarity": (
        "Pearson correlation of population response vectors, mean over all pairs of trials of two trial types, no trial "
        "with itself, all units of a session. Top: the mean of the first sessions of overtraining; below: of the last; "
        "then their difference. A study without overtraining shows its first and its last session; with one session per "
        "subject there is one matrix. Without any structure all entries would be near 0. The correlation depends on the "
        "number of units and on rates shared by all trials: compare cells of one matrix, and compare days with care."
    ),
    "scatter": (
        "Each point is a trial, in the first, the middle and the last session of a subject. Axes and limits are the same "
        "on all days of a subject; the limits hold 99% of its trials. Where units are tracked over days the axes are the "
        "first two principal components of all sessions together. Units that are new every day share no such axes: then "
        "the horizontal axis is the held-out position along the day's discriminant (0 is the boundary) and the vertical "
        "one the direction of the largest other variance, both in SDs of the standardised units. Large symbols: class means. "
        "Without information about the classes the clouds would lie on top of one another."
    ),
    "margins": (
        "Signed distance of each held-out trial to the decision boundary, y f(x)/|w|, in SDs of the standardised units; "
        "positive is the right side. Top: median over trials of each class (line) and quartiles (band) per session. Below: "
        "distributions over target and nontarget trials in the first and in the last sessions of overtraining (the first "
        "and last session where there is no overtraining). Dashed: the boundary; without information about the classes "
        "the distances would lie evenly around it. The outermost bins hold all trials beyond them."
    ),
    "dynamics": (
        "Decoders trained in a sliding window and tested on held-out trials, with the same numbers of units and of trials "
        "in all sessions of a subject. Top: accuracy, and mean held-out distance to the boundary, tested in the window "
        "that the decoder was trained in, in the first and in the last sessions of overtraining (the first and last "
        "session where there is no overtraining). Thin lines: subjects; thick: mean over subjects, band: plus and minus "
        "one standard error. Dashed: the value when activity carries no information about the classes. Below: accuracy "
        "of decoders trained at one time (up) and tested at another (across), mean over subjects, and the change; white is "
        "chance. A code that stays the same fills a square, one that changes fills the diagonal (dotted) alone. Windows "
        "that overlap share bins. Before the event chance is what one expects."
    ),
    "transitions": (
        "Accuracy of single stimuli by day, with 95% Wilson intervals: the stimuli with the strongest evidence of a step, "
        "of the animal's answers or the decoder's. Solid: the best step up. Dashed: the best smooth growth, a line in "
        "log-odds. p: how often counts drawn from the smooth fit, day effects included, favour a step as much; q: "
        "corrected for the number of stimuli tested; p saturating: the same against growth that levels off. A step alone "
        "is no evidence: any rising curve has a best step. Shaded: overtraining. Stimuli that are shown too rarely are "
        "not tested."
    ),
    "verdict": (
        "Slope over the overtraining window of behaviour and of the primary metric (all stimuli; fixed stimuli where a "
        "study has them): each subject and the group, with confidence intervals. Dashed: no change. Shaded: the slopes "
        "that count as flat behaviour. Grey: a subject that does not enter the group test, with the reason."
    ),
}

ALT_TEXTS = {
    "behavior": "Line plots of the fraction of correct trials over days of training, for the group and per subject.",
    "metrics": "Small line plots, one per neural metric, of its value over days of training, with its null value.",
    "ladder": "Line plots of class separation over days, one panel per control that is added.",
    "decoding_vs_behavior": "Scatter plots of decoding accuracy and of the primary metric against behavioural accuracy.",
    "similarity": "Matrices of correlations between trial types for early and late sessions of each subject.",
    "scatter": "Scatter plots of trials in two dimensions for the first, middle and last session of each subject.",
    "margins": "Held-out distances to the decision boundary over days, and their early and late distributions.",
    "dynamics": "Decoding accuracy and margin over the time of a trial, and matrices of time trained against time tested.",
    "transitions": "Accuracy of single stimuli over days, with the best step and the best smooth growth.",
    "verdict": "Forest plot of slopes per subject and for the group, for behaviour and for the primary metric.",
}
