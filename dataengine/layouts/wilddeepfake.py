"""WildDeepfake: sequences of face images in archives, which are read where they lie and never unpacked.

    deepfake_in_the_wild/{real train,real test,fake train,fake test}/<n>.tar.gz
        <n>/{real,fake}/<sequence>/<frame>.png

Copies write the four folders with underscores; the outer folder may itself be the root. A clip is one folder of
images; frames are ordered as their numbers count. Which of the 707 source videos a sequence was cut from is not
published: its archive stands for it as the identity. Labels come from the four folders. Of the official parts, test
stays test and val is dealt out of train, archive by archive.

Source: github.com/OpenTAI/wild-deepfake (the four folders, archives and numbers). What lies inside an archive, and
that the released ones are plain tars in spite of their names, is as public programs that unpack them say.

Each archive is listed once, on threads: of a plain tar on a disk the headers alone are read, a compressed or remote
one is read in full (zlib unpacks some 200 MB a second on a core, and releases the interpreter). Reading a clip passes
over what comes before it in the archive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from dataengine import methods
from dataengine.archive import Contents, contents
from dataengine.errors import LayoutError, MediaError
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import Clip, clip_id
from dataengine.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, SourceTree, as_counted, suffix

_ARCHIVES = frozenset({".tar", ".gz", ".tgz"})
_PARTS = tuple((label, split) for label in ("real", "fake") for split in ("train", "test"))
_NOT_READ = frozenset({".zip", ".7z", ".rar", ".xz", ".bz2"})
_THREADS = 8


def is_tree(tree: SourceTree) -> bool:
    """Whether the root looks like WildDeepfake: one of its four folders, with archives."""
    return any(tree.files(folder, _ARCHIVES) for part in _PARTS for folder in _folders(tree, *part))


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """A clip for each sequence; an archive that cannot be listed is one clip, which fails with the reason.

    Raises LayoutError where a part has folders of both spellings.
    """
    archives: dict[str, tuple[str, str]] = {}
    for label, split in _PARTS:
        folders = [folder for folder in _folders(tree, label, split) if tree.files(folder, _ARCHIVES)]
        if len(folders) > 1:
            raise LayoutError(
                f"{tree.shown(folders[0])} and {folders[1]} are one part under two names; keep one of them"
            )
        archives |= {path: (label, split) for folder in folders for path in tree.files(folder, _ARCHIVES)}
    clips, unexpected = (
        [],
        set(tree.below("", IMAGE_SUFFIXES | VIDEO_SUFFIXES | _ARCHIVES | _NOT_READ)) - archives.keys(),
    )
    with ThreadPoolExecutor(_THREADS) as pool:
        listed = pool.map(lambda path: _listed(tree, path), archives)
        for (path, (label, split)), held in zip(archives.items(), listed, strict=True):
            if isinstance(held, MediaError):
                # No member bears this name, so that reading it meets what is wrong with the archive.
                clips.append(_clip(path, "", ["*"], label, split))
                unexpected.add(f"{path} ({str(held).removeprefix(f'{tree.shown(path)}: ')})")
                continue
            sequences, strays = _sequences(held, label)
            clips += [_clip(path, folder, frames, label, split) for folder, frames in sequences.items()]
            unexpected |= {f"{path}/{stray}" for stray in strays}
    return scan_of(clips, tree, "official test; train and val derived by archive", unexpected=unexpected)


def _folders(tree: SourceTree, label: str, split: str) -> list[str]:
    names = (f"{outer}{label}{gap}{split}" for outer in ("deepfake_in_the_wild/", "") for gap in (" ", "_"))
    return [name for name in names if tree.is_dir(name)]


def _listed(tree: SourceTree, path: str) -> Contents | MediaError:
    try:
        return contents(tree.root, path)
    except MediaError as error:
        return error


def _sequences(held: Contents, label: str) -> tuple[dict[str, list[str]], list[str]]:
    """The images of each folder in an archive, and what belongs to no sequence, with the reason."""
    sequences: dict[str, list[str]] = defaultdict(list)
    strays = list(held.left_out)
    other = {"real": "fake", "fake": "real"}[label]
    for name in held.files:
        folder = name.rpartition("/")[0]
        if suffix(name) not in IMAGE_SUFFIXES:
            strays.append(f"{name} (no image)")
        elif other in folder.lower().split("/"):
            strays.append(f"{name} ({other} in an archive of {label} ones)")
        else:
            sequences[folder].append(name)
    return sequences, strays


def _clip(archive: str, folder: str, frames: Iterable[str], label: str, split: str) -> Clip:
    method = methods.canonical("wilddeepfake", label)
    shard = archive.rpartition("/")[2].partition(".")[0]
    place = f"{archive.rpartition('/')[0]}/{shard}/{folder}".rstrip("/")
    return Clip(
        clip=clip_id("wilddeepfake", place, keep_suffix=True),
        paths=tuple(sorted(frames, key=as_counted)),
        media="images",
        dataset="wilddeepfake",
        split="test" if split == "test" else "",
        raw_method=label,
        method=method.name,
        category=method.category,
        quality="",
        target_id=f"wilddeepfake/{label}-{split}-{shard}",
        source_id="",
        archive=archive,
    )


LAYOUT = Layout(
    name="wilddeepfake",
    scan=scan,
    is_tree=is_tree,
    expects="deepfake_in_the_wild/{real,fake} {train,test}/N.tar.gz",
    title="WildDeepfake",
    licence="terms agreed to with the form",
    access="the form in the repository OpenTAI/wild-deepfake",
    certainty="folders and the number of sequences: the authors' repository; inside the archives, and the numbers of a "
    "part: other people's programs; an archive taken for a source video: inferred",
    published=(
        Published(clips=7314),
        Published(where={"label": "0"}, clips=3805),
        Published(where={"label": "1"}, clips=3509),
        Published(where={"label": "0", "split": "test"}, clips=396),
        Published(where={"label": "1", "split": "test"}, clips=410),
    ),
    cropped=True,
)
