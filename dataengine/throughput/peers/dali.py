"""DALI's own WebDataset reader and random crop, on the CPU or with the GPU's decoder: no dfx in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.dlpack import from_dlpack

from dataengine.errors import DfxError
from dataengine.throughput.race import Race

_PREFETCH = 2  # batches ahead, DALI's default and the loader's
_SHUFFLE = 1024  # samples in the shuffle buffer, the reader's default


class DaliEntry:
    """An `Entry`: reader, fused decode and crop, resize, flip."""

    def __init__(self, race: Race, *, device: str) -> None:
        """Write the index that the reader would otherwise scan the tars for."""
        if device == "gpu" and not torch.cuda.is_available():
            raise DfxError("no CUDA device")
        self._race, self._gpu = race, device == "gpu"
        self._crop = race.crop
        self._tars = race.tars()
        self._indexes = [_index(tar) for tar in self._tars]
        self._pipeline: Any = None

    def open(self) -> None:
        """See `Entry.open`."""
        from nvidia.dali import Pipeline, fn, types

        settings, crop = self._race.settings, self._crop
        # Fancy upsampling and no antialiasing: the pixels that the others give.
        decode = {"output_type": types.RGB, "jpeg_fancy_upsampling": True, "adjust_orientation": False}
        pipeline = Pipeline(
            batch_size=settings.batch,
            num_threads=settings.threads,
            device_id=torch.cuda.current_device() if self._gpu else None,
            prefetch_queue_depth=_PREFETCH,
            exec_dynamic=True,
        )
        with pipeline:
            read: Any = fn.readers.webdataset(
                paths=[str(path) for path in self._tars],
                index_paths=[str(path) for path in self._indexes],
                ext=["jpg;png", "cls"],
                random_shuffle=True,
                initial_fill=_SHUFFLE,
            )
            encoded, label = read
            cut = fn.decoders.image_random_crop(
                encoded,
                device="mixed" if self._gpu else "cpu",
                random_area=list(crop.scale),
                random_aspect_ratio=list(crop.ratio),
                **decode,
            )
            scaled = fn.resize(cut, size=[settings.size] * 2, interp_type=types.INTERP_LINEAR, antialias=False)
            images = fn.flip(scaled, horizontal=fn.random.coin_flip(probability=crop.flip))
            pipeline.set_outputs(images, label)
        pipeline.build()
        self._pipeline = pipeline

    def batches(self) -> Iterator[torch.Tensor]:
        """See `Entry.batches`. Runs are scheduled by hand, because DALI would begin the next round by itself."""
        total = self._race.num_images // self._race.settings.batch
        ahead = min(_PREFETCH, total)
        for _ in range(ahead):
            self._pipeline.schedule_run()
        for done in range(total):
            images, _ = self._pipeline.share_outputs()
            yield from_dlpack(images.as_tensor())
            self._pipeline.release_outputs()
            if done + ahead < total:
                self._pipeline.schedule_run()
        if self._gpu:
            torch.cuda.synchronize()

    def close(self) -> None:
        """See `Entry.close`."""
        self._pipeline = None


def _index(tar: Path) -> Path:
    """DALI's index of a tar, version 1.2: for each sample `extension offset size name` of each of its members."""
    import tarfile

    samples: dict[str, list[str]] = {}
    with tarfile.open(tar) as members:
        for member in members:
            key, _, suffix = member.name.partition(".")
            samples.setdefault(key, []).append(f"{suffix} {member.offset_data} {member.size} {member.name}")
    path = tar.with_suffix(".idx")
    path.write_text("\n".join([f"v1.2 {len(samples)}", *(" ".join(each) for each in samples.values())]) + "\n")
    return path
