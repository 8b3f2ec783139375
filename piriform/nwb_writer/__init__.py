"""How does a recording made or converted here become an NWB file?

One function, :func:`write_recording`, serves the simulator and every converter.
"""

from piriform.nwb_writer.recording import Origin, Recording
from piriform.nwb_writer.writer import write_recording

__all__ = ["Origin", "Recording", "write_recording"]
