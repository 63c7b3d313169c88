"""Manipulation methods: canonical name, category, and why two datasets' names are taken for one method.

A method's name is its dataset's own: FF++ "FaceSwap" fits a 3D model, FakeAVCeleb "faceswap" is an autoencoder ("The
Same Name Is Not Always the Same", Electronics 2023, 12(11):2353). So (dataset, raw_method) always stays beside the
canonical name, and two datasets share one only where the evidence is written here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dataengine.errors import LayoutError
from dataengine.records import REAL

FACE_SWAP, REENACTMENT, TALKING_HEAD = "face swap", "reenactment", "talking head"
SYNTHESIS, EDITING, UNKNOWN = "synthesis", "editing", "unknown"


@dataclass(frozen=True, slots=True)
class Method:
    """One manipulation as dfx names it."""

    name: str
    category: str
    evidence: str
    """Why datasets that use it are taken to mean the same thing, or where the name comes from."""


_FFPP = "Roessler et al., FaceForensics++ (ICCV 2019), section 3"
_FORGERYNET = "He et al., ForgeryNet (CVPR 2021)"

_DF40_TABLE = "DF40 (Yan et al., NeurIPS 2024), table in its repository"
_TUNED = f"{_DF40_TABLE}: fine-tuned on FF++ and Celeb-DF"
_FSGAN = "Nirkin et al., FSGAN (ICCV 2019), whose code is public; taken for it by name"
_FOMM = "Siarohin et al., First Order Motion Model (NeurIPS 2019), whose code is public; taken for it by name"
_WAV2LIP = "Prajwal et al., Wav2Lip (ACM MM 2020), whose code is public; DF40 files it under reenactment"

_DF40: Mapping[str, Method] = {
    "fsgan": Method("FSGAN", FACE_SWAP, _FSGAN),
    "faceswap": Method("DF40-FaceSwap", FACE_SWAP, f"{_DF40_TABLE}; which of the tools of that name is not said"),
    "simswap": Method("SimSwap", FACE_SWAP, _DF40_TABLE),
    "inswap": Method("InSwapper", FACE_SWAP, _DF40_TABLE),
    "blendface": Method("BlendFace", FACE_SWAP, _DF40_TABLE),
    "uniface": Method("UniFace", FACE_SWAP, _DF40_TABLE),
    "mobileswap": Method("MobileSwap", FACE_SWAP, _DF40_TABLE),
    "e4s": Method("e4s", FACE_SWAP, _DF40_TABLE),
    "facedancer": Method("FaceDancer", FACE_SWAP, _DF40_TABLE),
    "deepfacelab": Method("DF40-DeepFaceLab", FACE_SWAP, f"{_DF40_TABLE}: on UADFV; the tool's model is not said"),
    "fomm": Method("FOMM", REENACTMENT, _FOMM),
    "facevid2vid": Method("FS_vid2vid", REENACTMENT, f"{_DF40_TABLE}; the folder is called facevid2vid"),
    "wav2lip": Method("Wav2Lip", TALKING_HEAD, _WAV2LIP),
    "MRAA": Method("MRAA", REENACTMENT, _DF40_TABLE),
    "one_shot_free": Method("OneShot", REENACTMENT, f"{_DF40_TABLE}; the folder is called one_shot_free"),
    "pirender": Method("PIRender", REENACTMENT, _DF40_TABLE),
    "tpsm": Method("TPSM", REENACTMENT, _DF40_TABLE),
    "lia": Method("LIA", REENACTMENT, _DF40_TABLE),
    "danet": Method("DaGAN", REENACTMENT, f"{_DF40_TABLE}; the folder is called danet"),
    "sadtalker": Method("SadTalker", TALKING_HEAD, f"{_DF40_TABLE}, as face reenactment; audio drives it"),
    "mcnet": Method("MCNet", REENACTMENT, _DF40_TABLE),
    "hyperreenact": Method("HyperReenact", REENACTMENT, _DF40_TABLE),
    "heygen": Method(
        "HeyGen", TALKING_HEAD, f"{_DF40_TABLE}, as face reenactment: a commercial service that speaks text"
    ),
    "VQGAN": Method("VQGAN", SYNTHESIS, _TUNED),
    "StyleGAN2": Method("DF40-StyleGAN2", SYNTHESIS, _TUNED),
    "StyleGAN3": Method("StyleGAN3", SYNTHESIS, _TUNED),
    "StyleGANXL": Method("StyleGAN-XL", SYNTHESIS, _TUNED),
    "sd2.1": Method("SD-2.1", SYNTHESIS, _TUNED),
    "ddim": Method("DDPM", SYNTHESIS, f"{_TUNED}; the folder is called ddim"),
    "RDDM": Method("RDDM", SYNTHESIS, _TUNED),
    "pixart": Method("PixArt-alpha", SYNTHESIS, _TUNED),
    "DiT": Method("DiT", SYNTHESIS, _TUNED),
    "SiT": Method("SiT", SYNTHESIS, _TUNED),
    "MidJourney": Method("MidJourney", SYNTHESIS, f"{_DF40_TABLE}: version 6"),
    "whichfaceisreal": Method("WhichFaceIsReal", SYNTHESIS, f"{_DF40_TABLE}, as WhichisReal: the site's own pictures"),
    "CollabDiff": Method("CollabDiff", EDITING, _DF40_TABLE),
    "e4e": Method("e4e", EDITING, _DF40_TABLE),
    "stargan": Method("StarGAN", EDITING, _DF40_TABLE),
    "starganv2": Method("DF40-StarGANv2", EDITING, _DF40_TABLE),
    "styleclip": Method("StyleCLIP", EDITING, _DF40_TABLE),
}
"""DF40's by the names of their folders."""

_DFDM = "DFDM (Jia et al., ICIP 2022): a model of the faceswap project, trained by the dataset's authors"
_KODF = "KoDF (Kwon et al., ICCV 2021)"
_PLATTER = "DF-Platter (Narayan et al., CVPR 2023)"

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(REAL, REAL, "footage that nobody manipulated"),
        Method("Deepfakes", FACE_SWAP, f"{_FFPP}: the shared-encoder autoencoder of the faceswap project"),
        Method("Face2Face", REENACTMENT, f"{_FFPP}: Thies et al. (CVPR 2016), expression transfer with a 3D model"),
        Method("FaceSwap", FACE_SWAP, f"{_FFPP}: graphics, a 3D model fitted and blended; no learning"),
        Method("NeuralTextures", REENACTMENT, f"{_FFPP}: Thies et al. (2019), only the mouth region is changed"),
        Method("FaceShifter", FACE_SWAP, "Li et al. (2019), added to FF++ by its authors"),
        Method("DeepFakeDetection", FACE_SWAP, "Google/Jigsaw (2019), actors; the generator is not published"),
        Method("Celeb-DF", FACE_SWAP, "Li et al. (CVPR 2020): an improved autoencoder of their own, one for all fakes"),
        Method("DFDC", UNKNOWN, "Dolhansky et al. (2020): eight methods, not all swaps; no video's is published"),
        Method("DFDC-preview-A", FACE_SWAP, "Dolhansky et al., the DFDC preview (2019): the first of two, not named"),
        Method("DFDC-preview-B", FACE_SWAP, "Dolhansky et al., the DFDC preview (2019): the second of two, not named"),
        Method("FakeAVCeleb-faceswap", FACE_SWAP, "FakeAVCeleb's own: learnt, where FF++'s FaceSwap is graphics"),
        Method("FakeAVCeleb-faceswap-Wav2Lip", FACE_SWAP, "FakeAVCeleb's faceswap, then Wav2Lip over the mouth"),
        Method("FSGAN-Wav2Lip", FACE_SWAP, "FSGAN, then Wav2Lip over the mouth (FakeAVCeleb)"),
        Method("ForgeryNet-FaceShifter", FACE_SWAP, f"{_FORGERYNET}: not known to be its authors', as FF++'s is"),
        Method("ForgeryNet-DeepFakes", FACE_SWAP, f"{_FORGERYNET}; that it is FF++'s tool is not shown"),
        Method("ForgeryNet-BlendFace", FACE_SWAP, f"{_FORGERYNET}; a later method of that name is another"),
        Method("MMReplacement", FACE_SWAP, f"{_FORGERYNET}: among its face swaps"),
        Method("DeepFakes-StarGAN-Stack", FACE_SWAP, f"{_FORGERYNET}: a swap and an edit, one after the other"),
        Method("StarGAN-BlendFace-Stack", FACE_SWAP, f"{_FORGERYNET}: an edit and a swap, one after the other"),
        Method("ForgeryNet-Talking-Head", TALKING_HEAD, f"{_FORGERYNET}: its 'Talking Head Video'"),
        Method("ATVG-Net", TALKING_HEAD, "Chen et al. (CVPR 2019): a face from audio through landmarks"),
        Method("ForgeryNet-StyleGAN2", EDITING, f"{_FORGERYNET}: among its edits; others synthesise with it"),
        Method("MaskGAN", EDITING, "Lee et al. (CVPR 2020): edits by a mask of the face's parts"),
        Method("StarGAN2", EDITING, "Choi et al., StarGAN v2 (CVPR 2020)"),
        Method("SC-FEGAN", EDITING, "Jo and Park (ICCV 2019): edits by sketch and colour"),
        Method("DiscoFaceGAN", EDITING, "Deng et al. (CVPR 2020): pose, expression and light by a 3D model"),
        *_DF40.values(),
        Method("DF-VAE", FACE_SWAP, "Jiang et al., DeeperForensics-1.0 (CVPR 2020): one method, whatever the variant"),
        Method("WildDeepfake", UNKNOWN, "Zi et al. (ACM MM 2020): found on the internet, made by whatever tool"),
        *(
            Method(f"DFDM-{name}", FACE_SWAP, _DFDM)
            for name in ("Faceswap", "Lightweight", "IAE", "Dfaker", "DFL-H128")
        ),
        Method("KoDF-DeepFaceLab", FACE_SWAP, f"{_KODF}: `dfl`"),
        Method("KoDF-FaceSwap", FACE_SWAP, f"{_KODF}: `dffs`, the tool of the deepfakes project"),
        Method("KoDF-audio-driven", TALKING_HEAD, f"{_KODF}: ATFHP and Wav2Lip, which share one folder"),
        Method("DF-Platter-FaceSwap", FACE_SWAP, f"{_PLATTER}; which of the tools of that name is not said"),
        Method("DF-Platter-FaceShifter", FACE_SWAP, f"{_PLATTER}; not known to be the one that made FF++'s"),
    )
}

_CANONICAL: Mapping[tuple[str, str], str] = {
    ("ff++", "original"): REAL,
    ("ff++", "Deepfakes"): "Deepfakes",
    ("ff++", "Face2Face"): "Face2Face",
    ("ff++", "FaceSwap"): "FaceSwap",
    ("ff++", "NeuralTextures"): "NeuralTextures",
    ("ff++", "FaceShifter"): "FaceShifter",
    ("dfd", "original"): REAL,
    ("dfd", "DeepFakeDetection"): "DeepFakeDetection",
    ("celeb-df", "Celeb-real"): REAL,
    ("celeb-df", "YouTube-real"): REAL,
    ("celeb-df", "Celeb-synthesis"): "Celeb-DF",
    ("dfdc", "REAL"): REAL,
    ("dfdc", "FAKE"): "DFDC",
    ("dfdc-preview", "original_videos"): REAL,
    ("dfdc-preview", "method_A"): "DFDC-preview-A",
    ("dfdc-preview", "method_B"): "DFDC-preview-B",
    ("fakeavceleb", "real"): REAL,
    ("fakeavceleb", "rtvc"): REAL,  # a cloned voice over untouched pictures
    ("fakeavceleb", "wav2lip"): "Wav2Lip",
    ("fakeavceleb", "faceswap"): "FakeAVCeleb-faceswap",
    ("fakeavceleb", "fsgan"): "FSGAN",
    ("fakeavceleb", "faceswap-wav2lip"): "FakeAVCeleb-faceswap-Wav2Lip",
    ("fakeavceleb", "fsgan-wav2lip"): "FSGAN-Wav2Lip",
    ("forgerynet", "Real"): REAL,
    ("forgerynet", "Rest"): REAL,  # the untouched frames of a video that is manipulated in part
    ("forgerynet", "FaceShifter"): "ForgeryNet-FaceShifter",
    ("forgerynet", "FS-GAN"): "FSGAN",
    ("forgerynet", "DeepFakes"): "ForgeryNet-DeepFakes",
    ("forgerynet", "BlendFace"): "ForgeryNet-BlendFace",
    ("forgerynet", "MMReplacement"): "MMReplacement",
    ("forgerynet", "DeepFakes-StarGAN-Stack"): "DeepFakes-StarGAN-Stack",
    ("forgerynet", "Talking Head Video"): "ForgeryNet-Talking-Head",
    ("forgerynet", "ATVG-Net"): "ATVG-Net",
    ("forgerynet", "StarGAN-BlendFace-Stack"): "StarGAN-BlendFace-Stack",
    ("forgerynet", "First Order Motion"): "FOMM",
    ("forgerynet", "StyleGAN2"): "ForgeryNet-StyleGAN2",
    ("forgerynet", "MaskGAN"): "MaskGAN",
    ("forgerynet", "StarGAN2"): "StarGAN2",
    ("forgerynet", "SC-FEGAN"): "SC-FEGAN",
    ("forgerynet", "DiscoFaceGAN"): "DiscoFaceGAN",
    ("wilddeepfake", "real"): REAL,
    ("wilddeepfake", "fake"): "WildDeepfake",
    ("df40", "real"): REAL,
    **{("df40", raw): method.name for raw, method in _DF40.items()},
    ("deeperforensics", "DF-VAE"): "DF-VAE",
    **{("dfdm", raw): f"DFDM-{raw}" for raw in ("Faceswap", "Lightweight", "IAE", "Dfaker", "DFL-H128")},
    ("df-platter", "real"): REAL,
    ("df-platter", "fsgan"): "FSGAN",
    ("df-platter", "faceswap"): "DF-Platter-FaceSwap",
    ("df-platter", "faceshifter"): "DF-Platter-FaceShifter",
    ("kodf", "original"): REAL,
    ("kodf", "dfl"): "KoDF-DeepFaceLab",
    ("kodf", "dffs"): "KoDF-FaceSwap",
    ("kodf", "fsgan"): "FSGAN",
    ("kodf", "fo"): "FOMM",
    ("kodf", "audio-driven"): "KoDF-audio-driven",
}


_REALS = frozenset({"real", "reals", "original", "originals", "pristine", "genuine", "authentic"})


def canonical(dataset: str, raw_method: str) -> Method:
    """The method that a dataset calls `raw_method`.

    Raises LayoutError for a method this dataset is not known to hold: never a label by guess.
    """
    name = _CANONICAL.get((dataset, raw_method))
    if name is None:
        known = ", ".join(sorted(raw for of, raw in _CANONICAL if of == dataset))
        raise LayoutError(
            f"{dataset} has no method '{raw_method}' that dfx knows (it knows {known}); move that folder out of the "
            "tree, or convert it with `dfx shard folder`"
        )
    return METHODS[name]


def is_called_real(name: str) -> bool:
    """Whether people call reals so ("0_real", "Originals") without the word that dfx takes for it: no name to guess a
    label from."""
    return name.lower() != REAL and re.sub(r"[^a-z]", "", name.lower()) in _REALS


def known() -> Iterable[tuple[str, str]]:
    """Every dataset's name with that of each of its methods."""
    return _CANONICAL.keys()


def named_by_user(name: str, dataset: str = "") -> Method:
    """The method that a user calls `name`, of a class folder or in a list: the one that `dataset` is known to call so,
    the canonical one of that name, or one of its own.

    By giving a canonical method's exact name, the user says that it is that method.
    """
    if name.lower() == REAL:
        return METHODS[REAL]
    canonical_name = _CANONICAL.get((dataset, name), name)
    return METHODS.get(canonical_name) or Method(name, UNKNOWN, "named by whoever sorted or listed the files")
