"""Ways to spoil a finished file: its bytes, and what lies at a path inside HDF5."""

import os
import signal
import traceback
import warnings
from contextlib import suppress

import numpy as np
from h5py import Dataset, Empty, ExternalLink, Group, Reference, SoftLink, ref_dtype, string_dtype, vlen_dtype

from piriform.errors import StudyError

# Bytes ----------------------------------------------------------------------------------------


def cut(content, where, rng):
    """The first part of the bytes; ``where`` from 0 to 1."""
    return content[: int(len(content) * where)]


def flipped(content, where, rng):
    """Some bits of one byte turned over."""
    position = min(int(len(content) * where), len(content) - 1)
    return content[:position] + bytes([content[position] ^ int(rng.integers(1, 256))]) + content[position + 1 :]


def blanked(content, where, rng):
    """A stretch of zeros, as after a failed copy."""
    start, length = int(len(content) * where), int(rng.choice([1, 8, 512, 4096]))
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


BYTES = {change.__name__: change for change in (cut, flipped, blanked)}


# Inside HDF5 ----------------------------------------------------------------------------------


def paths(file):
    """Every group, dataset and attribute ("path@name") of a file; not the specifications it carries."""
    found = []

    def visit(name, node):
        if not name.startswith("specifications"):
            found.extend([name, *(f"{name}@{attribute}" for attribute in node.attrs)])

    file.visititems(visit)
    return [*found, *(f"@{attribute}" for attribute in file.attrs)]


def put(file, path, value, **options):
    """Replace what lies at a path by a dataset; attributes are kept, and the index that refers to it."""
    attributes = dict(file[path].attrs) if path in file else {}
    if path in file:
        del file[path]
    made = file.create_dataset(path, data=value, **options)
    for name, attribute in attributes.items():
        made.attrs[name] = attribute
    if f"{path}_index" in file and "target" in file[f"{path}_index"].attrs:
        file[f"{path}_index"].attrs["target"] = made.ref
    return made


def flat(values):
    """Values as an array of one dimension or more."""
    return np.atleast_1d(np.asarray(values))


def numbers(values):
    """Values as floats; text as its length."""
    values = flat(values)
    return values.astype(float) if values.dtype.kind in "biuf" else np.arange(values.size, dtype=float)


def with_one(value):
    """A change that puts one value somewhere among the numbers."""

    def change(values, rng):
        made = numbers(values).copy()
        if made.size:
            made.flat[rng.integers(made.size)] = value
        return made

    return change


def records(values, rng):
    made = np.zeros(flat(values).shape, dtype=[("a", "f8"), ("b", "i4")])
    made["a"] = np.arange(made.size).reshape(made.shape)
    return made


#: What becomes of the values of a dataset; keywords of ``create_dataset`` may come with them.
VALUES = {
    "texts of numbers": lambda v, rng: numbers(v).astype(str).astype(object),
    "texts": lambda v, rng: np.array(["x"] * flat(v).size, dtype=object).reshape(flat(v).shape),
    "empty texts": lambda v, rng: np.array([""] * flat(v).size, dtype=object).reshape(flat(v).shape),
    "bytes": lambda v, rng: numbers(v).astype("S8"),
    "no utf-8": lambda v, rng: np.full(flat(v).shape, b"\xff\xfe\xfa"),
    "records": records,
    "complex": lambda v, rng: numbers(v) + 1j,
    "flags": lambda v, rng: numbers(v) > np.median(numbers(v)) if numbers(v).size else numbers(v) > 0,
    "bytes of no kind": lambda v, rng: numbers(v).astype("f8").view("V8"),
    "half precision": lambda v, rng: np.clip(numbers(v), -6e4, 6e4).astype("f2"),
    "single precision": lambda v, rng: numbers(v).astype("f4"),
    "whole numbers": lambda v, rng: numbers(np.nan_to_num(numbers(v))).astype("i8"),
    "bytes as numbers": lambda v, rng: np.nan_to_num(numbers(v)).astype("i8").astype("u1"),
    "fractions": lambda v, rng: numbers(v) + 0.5,
    "negative": lambda v, rng: -numbers(v),
    "milliseconds": lambda v, rng: 1000 * numbers(v),
    "far off": lambda v, rng: numbers(v) + 1e9,
    "huge": lambda v, rng: numbers(v) * 1e300,
    "huge whole numbers": lambda v, rng: np.full(flat(v).shape, 2**64 - 1, dtype="u8"),
    "one NaN": with_one(np.nan),
    "one inf": with_one(np.inf),
    "one -inf": with_one(-np.inf),
    "one 1e300": with_one(1e300),
    "one -1": with_one(-1.0),
    "all NaN": lambda v, rng: np.full(flat(v).shape, np.nan),
    "shuffled": lambda v, rng: rng.permutation(flat(v)),
    "reversed": lambda v, rng: flat(v)[::-1],
    "all the same": lambda v, rng: np.repeat(flat(v)[:1], len(flat(v)), axis=0),
    "none": lambda v, rng: flat(v)[:0],
    "one less": lambda v, rng: flat(v)[:-1],
    "one more": lambda v, rng: np.concatenate([flat(v), flat(v)[:1]]),
    "one alone": lambda v, rng: flat(v).ravel()[0] if flat(v).size else 0,
    "a column": lambda v, rng: flat(v)[:, np.newaxis],
    "two columns": lambda v, rng: np.stack([flat(v), flat(v)], axis=1),
    "turned": lambda v, rng: flat(v).T if flat(v).ndim > 1 else flat(v)[np.newaxis],
    "in a line": lambda v, rng: flat(v).ravel(),
}


def null(file, path, rng):
    put(file, path, Empty("f8"))


def null_text(file, path, rng):
    put(file, path, Empty(string_dtype()))


def lists(file, path, rng):
    size = flat(file[path][()]).size if file[path].shape is not None else 3
    values = np.empty(size, dtype=object)
    for row in range(size):
        values[row] = np.arange(row % 3, dtype=float)
    put(file, path, values, dtype=vlen_dtype(np.dtype("f8")))


def references(file, path, rng):
    values = np.array([file["/"].ref] * max(file[path].size or 0, 1), dtype=ref_dtype)
    put(file, path, values)


def null_references(file, path, rng):
    put(file, path, np.array([Reference()] * max(file[path].size or 0, 1), dtype=ref_dtype))


def enumeration(file, path, rng):
    from h5py import enum_dtype

    values = np.arange(max(file[path].size or 0, 1), dtype="i1") % 3
    put(file, path, values, dtype=enum_dtype({"no": 0, "yes": 1}, basetype="i1"))


def broken_chunk(file, path, rng):
    values = flat(file[path][()])
    if values.dtype.kind in "biuf" and values.size:
        made = put(file, path, values, chunks=values.shape, compression="gzip", fletcher32=bool(rng.integers(2)))
        made.id.write_direct_chunk((0,) * values.ndim, b"no gzip at all")


def lost_storage(file, path, rng):
    values = flat(file[path][()])
    if values.dtype.kind in "biuf" and values.size:
        attributes = dict(file[path].attrs)
        del file[path]
        made = file.create_dataset(path, values.shape, values.dtype, external=[("no such file.raw", 0, values.nbytes)])
        made.attrs.update(attributes)


def group_instead(file, path, rng):
    attributes = dict(file[path].attrs)
    del file[path]
    made = file.create_group(path)
    for name, value in attributes.items():
        made.attrs[name] = value


def linked(link):
    def change(file, path, rng):
        del file[path]
        file[path] = link(path)

    return change


def another(file, path, rng):
    """The same name for another dataset of the same group."""
    siblings = sorted(name for name in file[path].parent if isinstance(file[path].parent[name], Dataset))
    chosen = file[path].parent[siblings[rng.integers(len(siblings))]] if siblings else file["/"]
    del file[path]
    file[path] = chosen


def values_changed(kind):
    def change(file, path, rng):
        values = file[path][()]
        made = VALUES[kind](values.astype(str) if np.asarray(values).dtype.kind == "O" else values, rng)
        put(file, path, made.astype(object) if made.dtype.kind == "U" else made)

    return change


#: Changes of groups and datasets.
ANY = {
    "deleted": lambda file, path, rng: file.__delitem__(path),
    "a link to nowhere": linked(lambda path: SoftLink("/no/such/thing")),
    "a link to itself": linked(lambda path: SoftLink(f"/{path}")),
    "a link to all": linked(lambda path: SoftLink("/")),
    "a link to another file": linked(lambda path: ExternalLink("no such file.h5", "/x")),
    "another": another,
}
DATASETS = {
    **{name: values_changed(name) for name in VALUES},
    "nothing": null,
    "no text": null_text,
    "lists": lists,
    "references": references,
    "null references": null_references,
    "an enumeration": enumeration,
    "a broken chunk": broken_chunk,
    "lost storage": lost_storage,
    "a group": group_instead,
}
GROUPS = {"a dataset": lambda file, path, rng: put(file, path, np.arange(3.0))}
ATTRIBUTES = {
    "deleted": lambda attributes, name, rng, file: attributes.__delitem__(name),
    "a number": lambda attributes, name, rng, file: attributes.__setitem__(name, 5),
    "NaN": lambda attributes, name, rng, file: attributes.__setitem__(name, np.nan),
    "zero": lambda attributes, name, rng, file: attributes.__setitem__(name, 0.0),
    "negative": lambda attributes, name, rng, file: attributes.__setitem__(name, -1.0),
    "empty": lambda attributes, name, rng, file: attributes.__setitem__(name, ""),
    "a text": lambda attributes, name, rng, file: attributes.__setitem__(name, "Nonsense"),
    "texts": lambda attributes, name, rng, file: attributes.__setitem__(name, ["a", "b"]),
    "nothing": lambda attributes, name, rng, file: attributes.__setitem__(name, Empty("f8")),
    "a null reference": lambda attributes, name, rng, file: attributes.__setitem__(name, Reference()),
    "a reference to all": lambda attributes, name, rng, file: attributes.__setitem__(name, file["/"].ref),
    "one less": lambda attributes, name, rng, file: attributes.__setitem__(
        name, [*map(str, flat(attributes[name]))][:-1]
    ),
    "one more": lambda attributes, name, rng, file: attributes.__setitem__(
        name, [*map(str, flat(attributes[name])), "x"]
    ),
    "twice": lambda attributes, name, rng, file: attributes.__setitem__(name, [*map(str, flat(attributes[name]))] * 2),
    "VectorData": lambda attributes, name, rng, file: attributes.__setitem__(name, "VectorData"),
    "VectorIndex": lambda attributes, name, rng, file: attributes.__setitem__(name, "VectorIndex"),
    "DynamicTableRegion": lambda attributes, name, rng, file: attributes.__setitem__(name, "DynamicTableRegion"),
    "DynamicTable": lambda attributes, name, rng, file: attributes.__setitem__(name, "DynamicTable"),
    "TimeSeries": lambda attributes, name, rng, file: attributes.__setitem__(name, "TimeSeries"),
}
CHANGES = sorted({*ANY, *DATASETS, *GROUPS, *ATTRIBUTES})


def spoil(file, path, change, rng):
    """Change what lies at a path of an open file; return whether there was anything that this change fits."""
    path, _, attribute = path.partition("@")
    if path and path not in file:
        return False
    node = file[path or "/"]
    kinds = ATTRIBUTES if attribute else {**ANY, **(GROUPS if isinstance(node, Group) else DATASETS)}
    if change not in kinds or (attribute and attribute not in node.attrs):
        return False
    if change in VALUES and not attribute and node.shape is None:
        return False
    try:
        if attribute:
            kinds[change](node.attrs, attribute, rng, file)
        else:
            kinds[change](file, path, rng)
    except (TypeError, ValueError, IndexError):  # HDF5 cannot hold it
        return False
    return True


# Trying it ------------------------------------------------------------------------------------


def left_open(path):
    """What is still open: HDF5 objects, or descriptors of the file."""
    from h5py import h5f

    n_objects = h5f.get_obj_count(h5f.OBJ_ALL, h5f.OBJ_FILE | h5f.OBJ_DATASET | h5f.OBJ_GROUP)
    links = []
    for number in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with suppress(OSError):  # the descriptor of the listing itself
            links.append(os.readlink(f"/proc/self/fd/{number}"))
    return [link for link in links if link == str(path)] + [f"{n_objects} objects"] * bool(n_objects)


def in_fork(call, *, seconds=300):
    """Call in a process of its own, which spoiled bytes may kill or stop; return what went wrong, "" if nothing did."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns where other tests have started it; the child never uses it
        child = os.fork()
    if not child:
        os.close(reading)
        signal.alarm(seconds)
        try:
            call()
            said = b""
        except BaseException:
            said = traceback.format_exc().encode()
        os.write(writing, said[-4000:])
        os._exit(bool(said))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitpid(child, 0)[1]
    return said or (f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "")


def refusals(path, **ways):
    """Read a file in each of these ways; return the reasons for which it was refused, by way."""
    refused = {}
    for name, read in ways.items():
        try:
            read(path)
        except StudyError as error:
            refused[name] = str(error)
        assert str(path) in refused.get(name, str(path)), f"{name} does not name {path}: {refused[name]}"
        assert not left_open(path), f"{name} leaves {left_open(path)} open"
    return refused
