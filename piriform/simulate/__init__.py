"""What would the pipeline find if the truth were known? Studies with known truth, written as NWB."""

from piriform.simulate.activity import Activity, session_activity, spike_counts, spike_trains
from piriform.simulate.course import SessionTruth, study_courses, subject_course, subject_names
from piriform.simulate.study import SessionCounts, simulate_counts, simulate_session, simulate_study
from piriform.simulate.task import MIXTURES, OVERLAP, Task, session_task
from piriform.simulate.truth import HIDDEN_PROGRESS, SCENARIOS, Truth, scenario_truth

__all__ = [
    "HIDDEN_PROGRESS",
    "MIXTURES",
    "OVERLAP",
    "SCENARIOS",
    "Activity",
    "SessionCounts",
    "SessionTruth",
    "Task",
    "Truth",
    "scenario_truth",
    "session_activity",
    "session_task",
    "simulate_counts",
    "simulate_session",
    "simulate_study",
    "spike_counts",
    "spike_trains",
    "study_courses",
    "subject_course",
    "subject_names",
]
