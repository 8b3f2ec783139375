"""What does one NWB file hold: whose session, which trials, which activity?

The only package that opens NWB for reading.
"""

from piriform.nwb.activity import Activity, read_activity
from piriform.nwb.files import Header, read_header
from piriform.nwb.trials import read_trials

__all__ = [
    "Activity",
    "Header",
    "read_activity",
    "read_header",
    "read_trials",
]
