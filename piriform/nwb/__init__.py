"""What does one NWB file hold: whose session, which trials, which activity?

The only package that opens NWB for reading.
"""

from piriform.nwb.activity import Activity, read_activity
from piriform.nwb.files import Header, check_unchanged, read_header, sha256_of
from piriform.nwb.trials import read_trials
from piriform.nwb.watched import folder_state, watched

__all__ = [
    "Activity",
    "Header",
    "check_unchanged",
    "folder_state",
    "read_activity",
    "read_header",
    "read_trials",
    "sha256_of",
    "watched",
]
