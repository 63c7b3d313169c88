"""Which files a miniature dataset holds: the official trees, their names and their lists. One file each; no pixels."""

from __future__ import annotations

from dataengine.sample.trees.base import Miniature
from dataengine.sample.trees.celebdf import plan_celebdf
from dataengine.sample.trees.ffpp import plan_ffpp
from dataengine.sample.trees.folder import plan_folder
from dataengine.sample.trees.manifest import plan_manifest

MINIATURES = {
    "ff++": Miniature(plan=plan_ffpp),
    "celeb-df": Miniature(plan=lambda clips, seed, quality, dfd: plan_celebdf(clips, seed)),
    "folder": Miniature(quality="c40", plan=lambda clips, seed, quality, dfd: plan_folder(clips)),
    "manifest": Miniature(plan=lambda clips, seed, quality, dfd: plan_manifest(clips, quality)),
}
