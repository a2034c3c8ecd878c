# SPDX-License-Identifier: GPL-2.0
"""submission.py - take the files of a submission, whatever it comes in

A file, a folder or an archive (tar, zip). Of all that is in it, one regular file
of each name that the lab wants is taken, mostly a single one; everything else is
ignored and named. Some may be missing. What would be guessed is refused, in a sentence.
"""

import json
import os
import stat
import tarfile
import zipfile

from places import Refused

SIZE = 64 << 10  # the longest solution has half of that
ENTRIES = 200  # how much of a folder or an archive is looked at
DEPTH = 8  # folders in folders
STATES, STATE_SIZE = (".lab", "lab"), 4096  # the folder's, as it is and as it is packed
ARCHIVE, UNPACKED = 1 << 20, 16 << 20  # an archive's size, and that of all that is in it


class Taken:
    """The files by their names, what there is to say about them, and what the student's
    folder says of itself, if it came with them."""

    def __init__(self, files, notes, state=None):
        self.files, self.notes, self.state = files, notes, state or {}

    @property
    def hints(self):
        """How many were taken, as far as one knows; it is the student's to say."""
        used = self.state.get("hints")
        return used if isinstance(used, int) and 0 <= used < 100 else None

    @property
    def data(self):
        """The one file, or all of them."""
        return b"\0".join(self.files.values())

    @property
    def main(self):
        """The first, which is always there."""
        return next(iter(self.files.values()))


def take(path, lab):
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    if stat.S_ISLNK(mode):
        raise Refused(f"{path} is a link; hand in the file itself")
    if stat.S_ISDIR(mode):
        return texts_of(*from_folder(path, Names(lab)), lab)
    if not stat.S_ISREG(mode):
        raise Refused(f"{path} is no file, no folder and no archive")
    if is_archive(path):
        return texts_of(*from_archive(path, Names(lab)), lab)
    if len(lab.files) - len(lab.optional) > 1:
        raise Refused(f"this is one file; hand in {both(lab.files)}, in a folder or an archive "
                      "(make submit packs them)")
    return texts_of({lab.files[0]: read(path, lab.files[0])}, [], {}, lab)


def state_of(states, main):
    """What lies beside the first file, if it is what make lab wrote."""
    folder = os.path.dirname(main)
    for name in STATES:
        try:
            state = json.loads(states[os.path.join(folder, name)])
        except (KeyError, ValueError, RecursionError):
            continue
        if isinstance(state, dict):
            return state
    return {}


class Names(list):
    """Of the files that a lab wants."""

    def __init__(self, lab):
        super().__init__(lab.files)
        self.optional = lab.optional


def contents(path, lab):
    """What a file that lies anywhere was handed in as, if it was: the first of its files."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        found = (from_archive(path, Names(lab))[0] if is_archive(path) else
                 {lab.files[0]: read(path, lab.files[0])})
        return text_of(found[lab.files[0]], [], lab.files[0])
    except (Refused, OSError):
        return None


def is_archive(path):
    return tarfile.is_tarfile(path) or zipfile.is_zipfile(path)


def from_archive(path, names):
    size = os.path.getsize(path)
    if size > ARCHIVE:
        raise Refused(f"the archive has {size} bytes, and {ARCHIVE} are enough; hand in "
                      f"{both(names)}")
    return (from_tar if tarfile.is_tarfile(path) else from_zip)(path, names)


def both(names):
    return " and ".join(names)


def read(path, name):
    if os.path.getsize(path) > SIZE:
        raise too_big(os.path.getsize(path), name)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(os.open(path, flags), "rb") as file:
        return file.read(SIZE + 1)


def too_big(size, name):
    return Refused(f"{name} has {size} bytes; a submission has {SIZE} at most. Was something "
                   "pasted into it?")


def chosen(found, others, names):
    """Name -> the one of this name."""
    at = {}
    for name in names:
        there = [path for path in found if os.path.basename(path) == name]
        if not there and name in names.optional:
            continue
        if not there:
            raise Refused(f"there is no {name} in it"
                          + (f", only {', '.join(sorted(others)[:5])}" if others else ""))
        if len(there) > 1:
            raise Refused(f"there are {len(there)} files {name} in it "
                          f"({', '.join(sorted(there)[:3])}); which one is meant?")
        at[name] = there[0]
    return at, ([f"ignored: {', '.join(sorted(others)[:8])}"] if others else [])


def entries(path, names):
    """Path of each file below a folder, in no order. Refused where there is too much, also
    of folders: a bomb is not listed to its end."""
    todo, seen = [("", 0)], 0
    while todo:
        below, depth = todo.pop()
        with os.scandir(os.path.join(path, below)) as found:
            for entry in found:
                seen += 1
                if seen > ENTRIES or depth > DEPTH:
                    raise Refused(f"there are more than {ENTRIES} files in it, or folders in "
                                  f"folders; hand in {both(names)} alone")
                at = os.path.join(below, entry.name)
                if not entry.is_dir(follow_symlinks=False):
                    yield at
                elif not entry.name.startswith("."):
                    todo.append((at, depth + 1))


def from_folder(path, names):
    found, others, states = [], [], {}
    try:
        for at in entries(path, names):
            name, full = os.path.basename(at), os.path.join(path, at)
            if name in names and os.path.islink(full):
                raise Refused(f"{name} is a link; hand in the file itself")
            info = os.lstat(full)
            if name in STATES and stat.S_ISREG(info.st_mode) and info.st_size <= STATE_SIZE:
                states[at] = read(full, name)
            else:
                (found if name in names else others).append(at)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    paths, notes = chosen(found, others, names)
    return ({name: read(os.path.join(path, at), name) for name, at in paths.items()}, notes,
            state_of(states, paths[names[0]]))


def from_tar(path, names):
    found, others, data, unpacked, states = [], [], {}, 0, {}
    try:
        with tarfile.open(path) as tar:
            for seen, member in enumerate(tar):
                name = os.path.basename(member.name)
                if seen >= ENTRIES:
                    raise Refused(f"the archive has more than {ENTRIES} entries; hand in "
                                  f"{both(names)}")
                unpacked += member.size  # what is passed over is unpacked, too
                if name not in names and unpacked > UNPACKED:
                    raise Refused(f"there are more than {UNPACKED} bytes in the archive; hand in "
                                  f"{both(names)}")
                if name in STATES and member.isreg() and member.size <= STATE_SIZE:
                    states[member.name] = tar.extractfile(member).read(STATE_SIZE)
                    continue
                if name not in names or member.isdir():
                    others += [] if member.isdir() else [member.name]
                    continue
                if not member.isreg():
                    raise Refused(f"{member.name} in the archive is a link; pack the file itself")
                if member.size > SIZE:
                    raise too_big(member.size, name)
                found.append(member.name)
                data[name] = tar.extractfile(member).read(SIZE + 1)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Refused(f"the archive cannot be read: {error}") from error
    paths, notes = chosen(found, others, names)
    return {name: data[name] for name in paths}, notes, state_of(states, paths[names[0]])


def from_zip(path, names):
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
            if len(listed) > ENTRIES:
                raise Refused(f"the archive has more than {ENTRIES} entries; hand in "
                              f"{both(names)}")
            files = [e for e in listed if not e.is_dir()]
            states = {e.filename: e for e in files if os.path.basename(e.filename) in STATES
                      and e.file_size <= STATE_SIZE}
            found = [e.filename for e in files if os.path.basename(e.filename) in names]
            paths, notes = chosen(found, [e.filename for e in files if e.filename not in
                                          [*found, *states]], names)
            return ({name: of_entry(archive, at, name) for name, at in paths.items()}, notes,
                    state_of({at: of_entry(archive, at, at) for at in states}, paths[names[0]]))
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise Refused(f"the archive cannot be read: {error}") from error


def of_entry(archive, path, name):
    entry = archive.getinfo(path)
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise Refused(f"{path} is a link; pack the file itself")
    if entry.file_size > SIZE:
        raise too_big(entry.file_size, name)
    with archive.open(entry) as file:
        return file.read(SIZE + 1)


def texts_of(files, notes, state, lab):
    taken = Taken({name: text_of(data, notes, name) for name, data in files.items()}, notes, state)
    number = state.get("lab")
    if isinstance(number, int):
        lab.check_number(number)
    lab.check(taken.main.decode())
    return taken


def text_of(data, notes, name):
    """As the compiler gets it: UTF-8, ends of lines as everywhere here."""
    if len(data) > SIZE:
        raise too_big(len(data), name)
    if not data.strip():
        raise Refused(f"{name} is empty")
    if b"\0" in data:
        raise Refused(f"{name} is no text: there are bytes of value 0 in it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        notes.append(f"{name} is not UTF-8; it was read as Latin-1")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("its lines ended as on Windows; that was changed")
    if not text.endswith("\n"):
        text += "\n"
        notes.append("it did not end with a newline; one was added")
    return text.encode()
