"""How is a file on a server read without downloading it?

By range requests: only the blocks that are needed travel, and they are kept on disk with their SHA-256.
"""

from piriform.remote.address import is_remote, name_of
from piriform.remote.folder import RemoteFolder
from piriform.remote.opening import Access, access, current
from piriform.remote.stream import RemoteFile, Traffic

__all__ = [
    "Access",
    "RemoteFile",
    "RemoteFolder",
    "Traffic",
    "access",
    "current",
    "is_remote",
    "name_of",
]
