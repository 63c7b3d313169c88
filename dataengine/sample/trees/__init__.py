"""Which files a miniature dataset holds: the official trees, their names and their lists. One file each; no pixels."""

from __future__ import annotations

from dataengine.sample.trees.base import Miniature
from dataengine.sample.trees.celebdf import plan_celebdf
from dataengine.sample.trees.deeperforensics import plan_deeperforensics
from dataengine.sample.trees.df40 import plan_df40
from dataengine.sample.trees.dfdc import plan_dfdc
from dataengine.sample.trees.dfdc_preview import plan_dfdc_preview
from dataengine.sample.trees.dfdm import plan_dfdm
from dataengine.sample.trees.dfplatter import plan_dfplatter
from dataengine.sample.trees.fakeavceleb import plan_fakeavceleb
from dataengine.sample.trees.ffpp import plan_ffpp
from dataengine.sample.trees.folder import plan_folder
from dataengine.sample.trees.forgerynet import plan_forgerynet
from dataengine.sample.trees.kodf import plan_kodf
from dataengine.sample.trees.manifest import plan_manifest
from dataengine.sample.trees.wilddeepfake import plan_wilddeepfake

MINIATURES = {
    "ff++": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_ffpp(clips, seed, quality, dfd)),
    "celeb-df": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_celebdf(clips, seed)),
    "dfdc": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_dfdc(clips, seed)),
    "fakeavceleb": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_fakeavceleb(clips, seed)),
    "forgerynet": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_forgerynet(clips, frames, seed)),
    "dfdc-preview": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_dfdc_preview(clips, seed)),
    "wilddeepfake": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_wilddeepfake(clips)),
    "df40": Miniature(style="ff++", plan=lambda clips, frames, seed, quality, dfd: plan_df40(clips)),
    "deeperforensics": Miniature(
        style="ff++", plan=lambda clips, frames, seed, quality, dfd: plan_deeperforensics(clips)
    ),
    "dfdm": Miniature(style="celeb-df", plan=lambda clips, frames, seed, quality, dfd: plan_dfdm(clips, quality)),
    "df-platter": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_dfplatter(clips, quality)),
    "kodf": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_kodf(clips, seed)),
    "folder": Miniature(quality="c40", plan=lambda clips, frames, seed, quality, dfd: plan_folder(clips)),
    "manifest": Miniature(plan=lambda clips, frames, seed, quality, dfd: plan_manifest(clips, quality)),
}
