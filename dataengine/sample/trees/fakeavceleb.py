"""FakeAVCeleb in miniature."""

from __future__ import annotations

from dataengine.sample.trees.base import Item, Shot, Tree

RACES = ("African", "Asian (East)", "Asian (South)", "Caucasian (American)", "Caucasian (European)")
MADE_BY = {
    "wav2lip": "NeuralTextures",
    "faceswap": "Deepfakes",
    "fsgan": "FaceShifter",
    "faceswap-wav2lip": "Celeb-synthesis",
    "fsgan-wav2lip": "DeepFakeDetection",
}
"""Whose pixels stand in for a method's."""
HEADER = "source,target1,target2,method,category,type,race,gender,path,"


def plan_fakeavceleb(clips: int, seed: int) -> Tree:
    """FakeAVCeleb: a person each; every other real has a cloned voice, and one file stands in two rows."""
    shots = [Shot("fakeavceleb", f"id{76 + 13 * i:05d}", f"{109 + i:05d}") for i in range(clips)]
    items, rows = [], []

    def add(i: int, kind: str, name: str, method: str, source: Shot | None, targets: tuple[str, str]) -> None:
        race, gender = RACES[i % len(RACES)], ("men", "women")[i % 2]
        folder = f"{kind[2:]}/{race}/{gender}/{shots[i].identity}"
        items.append(Item(f"{folder}/{name}", shots[i], source, MADE_BY.get(method, "")))
        fields = (shots[i].identity, *targets, method, kind[0], kind[2:], race, gender, name, f"FakeAVCeleb/{folder}")
        rows.append(",".join(fields))

    swapped, voiced = "C FakeVideo-RealAudio", "D FakeVideo-FakeAudio"
    for i, shot in enumerate(shots):
        source = shots[(i ^ 1) if (i ^ 1) < clips else 0]
        number, person = shot.name, source.identity
        if i % 2:
            add(i, "B RealVideo-FakeAudio", f"{number}_fake.mp4", "rtvc", None, ("-", "-"))
        else:
            add(i, "A RealVideo-RealAudio", f"{number}.mp4", "real", None, ("-", "-"))
        add(i, swapped if i % 2 else voiced, f"{number}_{person}_wavtolip.mp4", "wav2lip", source, (person, "-"))
        add(i, swapped, f"{number}_{person}_AAnyugIAXao.mp4", "faceswap", source, ("-", "-"))
        add(i, swapped, f"{number}_{i}.mp4", "fsgan", source, (person, str(i)))
        add(i, voiced, f"{number}_{i}_{person}_wavtolip.mp4", "faceswap-wav2lip", source, (person, str(i)))
        add(i, voiced, f"{number}_{i}_{person}_fsgan_wavtolip.mp4", "fsgan-wav2lip", source, (person, str(i)))
    again = next(row for row in rows if ",faceswap-wav2lip," in row)
    rows.append(again.replace(",faceswap-wav2lip,", ",wav2lip,"))
    return Tree(tuple(items), {"meta_data.csv": "".join(f"{line}\n" for line in (HEADER, *rows))})
