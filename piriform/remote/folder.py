"""What are the objects of a Zarr folder on a server?"""

from piriform import config
from piriform.remote.cache import BlockCache
from piriform.remote.http import HttpSource
from piriform.remote.s3 import S3Source
from piriform.remote.source import NotThereError, Source
from piriform.remote.stream import RemoteFile, Traffic


class RemoteFolder:
    """Whole objects by their names, fetched when they are asked for, all over one connection.

    Parameters
    ----------
    url : address as the user knows it
    content : address of the folder that holds the objects
    """

    def __init__(self, url: str, content: str, settings: config.Remote, traffic: Traffic) -> None:
        self.url, self._content, self._settings, self._traffic = url, content.rstrip("/"), settings, traffic
        self._first: HttpSource | S3Source = self._source("", None)

    def read(self, name: str) -> bytes | None:
        """Return the bytes of an object, None where there is none of that name."""
        source: Source = self._source(name, self._first)
        try:
            stamp = source.stamp()
        except NotThereError:
            return None
        self._traffic.n_requests += 1
        self._traffic.saw(f"{self.url}/{name}", stamp.size)
        size = self._settings.block_kib * 1024
        cache = BlockCache(self._settings.folder, f"{self.url}/{name}", stamp, size)
        with RemoteFile(source, stamp, cache, block_size=size, traffic=self._traffic) as file:
            return file.read(stamp.size)

    def close(self) -> None:
        """Close the connection."""
        self._first.close()

    def __enter__(self) -> "RemoteFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _source(self, name: str, like: HttpSource | S3Source | None) -> HttpSource | S3Source:
        address = f"{self._content}/{name}"
        if address.startswith("s3://"):
            return S3Source(address, self._settings, like=like if isinstance(like, S3Source) else None)
        where = f"{self.url}: {name}" if name else self.url
        return HttpSource(address, self._settings, where=where, like=like if isinstance(like, HttpSource) else None)
