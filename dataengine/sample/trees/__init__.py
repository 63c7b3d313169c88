"""Which files a miniature dataset holds: the official trees, their names and their lists. One file each; no pixels."""

from __future__ import annotations

from dataengine.sample.trees.base import Miniature
from dataengine.sample.trees.celebdf import plan_celebdf
from dataengine.sample.trees.dfdc import plan_dfdc
from dataengine.sample.trees.dfdc_preview import plan_dfdc_preview
from dataengine.sample.trees.fakeavceleb import plan_fakeavceleb
from dataengine.sample.trees.ffpp import plan_ffpp
from dataengine.sample.trees.folder import plan_folder
from dataengine.sample.trees.forgerynet import plan_forgerynet

MINIATURES = {
    "ff++": Miniature(plan=plan_ffpp),
    "celeb-df": Miniature(plan=lambda clips, seed, quality, dfd: plan_celebdf(clips, seed)),
    "dfdc": Miniature(plan=lambda clips, seed, quality, dfd: plan_dfdc(clips, seed)),
    "fakeavceleb": Miniature(plan=lambda clips, seed, quality, dfd: plan_fakeavceleb(clips, seed)),
    "forgerynet": Miniature(plan=lambda clips, seed, quality, dfd: plan_forgerynet(clips, seed)),
    "dfdc-preview": Miniature(plan=lambda clips, seed, quality, dfd: plan_dfdc_preview(clips, seed)),
    "folder": Miniature(quality="c40", plan=lambda clips, seed, quality, dfd: plan_folder(clips)),
}
