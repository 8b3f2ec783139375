"""What does a Zarr folder on a server hold, read chunk by chunk as it is needed?"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from piriform.errors import StudyError
from piriform.remote import RemoteFolder

try:
    from zarr.storage import DirectoryStore
except ImportError:  # the extra `zarr`, which :func:`piriform.nwb.zarr.zarr_group` asks for
    DirectoryStore = object

#: Kinds of arrays whose chunks are never left out by a writer: numbers, times, text.
NEEDED = "fcOSU|"


class RemoteStore(DirectoryStore):
    """A store for Zarr whose objects lie on a server; a DirectoryStore since hdmf-zarr takes no other kind.

    The list of contents (``.zmetadata``) says which arrays there are; a server need not list folders.
    """

    def __init__(self, folder: RemoteFolder) -> None:
        super().__init__(folder.url)
        self._folder = folder
        self._contents = folder.read(".zmetadata") or b"{}"
        self._about: dict[str, Any] = json.loads(self._contents)["metadata"]

    def __getitem__(self, key: str) -> bytes:
        if key == ".zmetadata":
            return self._contents
        if key in self._about:
            return json.dumps(self._about[key]).encode()
        if key.rpartition("/")[2].startswith(".z"):
            raise KeyError(key)
        found = self._folder.read(key)
        if found is None:
            dtype = str(self._about.get(f"{key.rpartition('/')[0]}/.zarray", {}).get("dtype", ""))
            if dtype.lstrip("<>|=")[:1] in NEEDED:
                raise StudyError(f"{self._folder.url}: chunk {key} is missing on the server")
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return key == ".zmetadata" or key in self._about

    def __iter__(self) -> Iterator[str]:
        return iter(self._about)

    def keys(self) -> Iterator[str]:
        """Names of what is said of groups and arrays."""
        return iter(self._about)

    def listdir(self, path: str | None = None) -> list[str]:
        """Names in a folder."""
        start = f"{path.strip('/')}/" if path else ""
        return sorted({key.removeprefix(start).split("/")[0] for key in self._about if key.startswith(start)})

    def getitems(self, keys: Sequence[str], *, contexts: Mapping[str, Any]) -> dict[str, bytes]:
        """Return the chunks that there are."""
        found = {}
        for key in keys:
            try:
                found[key] = self[key]
            except KeyError:
                continue
        return found
