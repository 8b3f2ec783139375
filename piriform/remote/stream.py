"""What are the bytes of a remote file, read as if it lay on this machine?"""

import io
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from piriform.errors import PiriformError
from piriform.remote.cache import BlockCache
from piriform.remote.source import Source, Stamp

#: Most bytes of one file that stay in memory.
IN_MEMORY = 64 * 2**20
#: Most bytes of one request.
LARGEST = 16 * 2**20
#: Most bytes that are read beyond what was asked for.
AHEAD = 4 * 2**20


@dataclass
class Traffic:
    """What was read: bytes and requests that travelled, bytes from the cache, and how large the files are.

    Of a Zarr folder only the objects that were asked for count.

    Examples
    --------
    >>> print(Traffic(n_files=2, size=46_000_000, fetched=1_300_000, cached=900_000, n_requests=21))
    read 1.3 of 46.0 MB of 2 remote files in 21 requests, 0.9 MB from the cache
    """

    n_files: int = 0
    size: int = 0
    fetched: int = 0
    cached: int = 0
    n_requests: int = 0
    seen: set[str] = field(default_factory=set, repr=False)

    def saw(self, name: str, size: int) -> None:
        """Count the size of a file or object that is asked for the first time."""
        self.size += 0 if name in self.seen else size
        self.seen.add(name)

    def __str__(self) -> str:
        files = f"{self.n_files} remote file{'s' * (self.n_files != 1)}"
        return (
            f"read {self.fetched / 1e6:.1f} of {self.size / 1e6:.1f} MB of {files} in {self.n_requests} requests, "
            f"{self.cached / 1e6:.1f} MB from the cache"
        )


class RemoteFile(io.RawIOBase):
    """A file on a server that can be read and sought in; blocks are fetched when they are needed.

    Missing blocks that lie side by side are one request. Whoever reads on where the last request ended, as
    with the chunks of a compressed array, gets twice as many blocks each time. ``error`` keeps what went
    wrong, which libraries written in C do not hand on.
    """

    def __init__(self, source: Source, stamp: Stamp, cache: BlockCache, *, block_size: int, traffic: Traffic) -> None:
        super().__init__()
        self.name = source.url
        self.error: PiriformError | None = None
        self._source, self._stamp, self._cache = source, stamp, cache
        self._block_size, self._traffic = block_size, traffic
        self._memory: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self._end, self._ahead = -1, 0

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        return self._stamp.size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the position on; return how many bytes were read."""
        view = memoryview(buffer).cast("B")
        start, stop = self._position, min(self._position + len(view), self.size)
        if start >= stop:
            return 0
        try:
            self._fill(view, start, stop)
        except PiriformError as error:
            self.error = error
            raise
        self._position = stop
        return stop - start

    def close(self) -> None:
        """Close the connection and forget the blocks in memory."""
        if not self.closed:
            self._memory.clear()
            self._source.close()
        super().close()

    def _fill(self, view: memoryview, start: int, stop: int) -> None:
        """Copy the bytes [start, stop), a bounded number of blocks at a time."""
        size = self._block_size
        step = max(1, LARGEST // size)
        first, last = start // size, (stop - 1) // size
        for low in range(first, last + 1, step):
            for number, block in self._blocks(low, min(low + step - 1, last)).items():
                begin, end = max(start, number * size), min(stop, (number + 1) * size)
                view[begin - start : end - start] = block[begin - number * size : end - number * size]

    def _blocks(self, first: int, last: int) -> dict[int, bytes]:
        """The blocks first to last, from memory, from the cache, or fetched."""
        found = {number: self._known(number) for number in range(first, last + 1)}
        missing = [number for number, block in found.items() if block is None]
        for low, high in _runs(missing):
            found |= self._fetched(low, max(high, self._reach(low, high)))
        return {number: found[number] or b"" for number in range(first, last + 1)}

    def _reach(self, low: int, high: int) -> int:
        """The last block to fetch: further than ``high`` where reading goes on from the last request."""
        self._ahead = max(2 * self._ahead, high - low + 1) if low == self._end else 0
        self._ahead = min(self._ahead, AHEAD // self._block_size)
        last = min(high + self._ahead, (self.size - 1) // self._block_size)
        kept = next((n for n in range(high + 1, last + 1) if n in self._memory), last + 1)
        self._end = kept
        return kept - 1

    def _known(self, number: int) -> bytes | None:
        if number in self._memory:
            self._memory.move_to_end(number)
            return self._memory[number]
        block = self._cache.load(number)
        if block is None or len(block) != self._length(number):
            return None
        self._traffic.cached += len(block)
        return self._remembered(number, block)

    def _fetched(self, low: int, high: int) -> dict[int, bytes]:
        start, size = low * self._block_size, self._block_size
        stop = min((high + 1) * size, self.size)
        content = self._source.fetch(start, stop, self._stamp)
        self._traffic.n_requests += 1
        self._traffic.fetched += len(content)
        blocks = {n: content[(n - low) * size : (n - low + 1) * size] for n in range(low, high + 1)}
        for number, block in blocks.items():
            self._cache.save(number, block)
            self._remembered(number, block)
        return blocks

    def _remembered(self, number: int, block: bytes) -> bytes:
        self._memory[number] = block
        while len(self._memory) * self._block_size > IN_MEMORY:
            self._memory.popitem(last=False)
        return block

    def _length(self, number: int) -> int:
        return min(self._block_size, self.size - number * self._block_size)


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
