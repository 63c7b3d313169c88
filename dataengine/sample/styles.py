"""How the clips of each miniature dataset look: resolution, cameras, rooms."""

from __future__ import annotations

from dataengine.sample.identity import Style

STYLES = {
    "ff++": Style(
        size=(320, 240),
        noise=(1.2, 2.6),
        blur=(0.8, 2.4),
        gamma=(0.85, 1.1),
        tint=0.02,
        head=(0.56, 0.68),
        motion=1.0,
        backdrop=("studio", "shelf", "wall"),
    ),
    "dfd": Style(
        size=(320, 240),
        noise=(0.8, 1.6),
        blur=(0.8, 1.6),
        gamma=(0.9, 1.0),
        tint=0.015,
        head=(0.48, 0.6),
        motion=1.3,
        backdrop=("wall", "shelf", "street"),
    ),
    "celeb-df": Style(
        size=(384, 288),
        noise=(0.6, 1.6),
        blur=(1.5, 3.2),
        gamma=(0.95, 1.25),
        tint=0.04,
        head=(0.52, 0.66),
        motion=1.2,
        backdrop=("street", "studio"),
    ),
    "folder": Style(
        size=(352, 288),
        noise=(2.4, 4.5),
        blur=(1.8, 3.6),
        gamma=(0.75, 1.05),
        tint=0.045,
        head=(0.5, 0.64),
        motion=0.9,
        backdrop=("wall", "street", "shelf"),
    ),
    "manifest": Style(
        size=(320, 240),
        noise=(1.0, 2.0),
        blur=(1.0, 2.0),
        gamma=(0.9, 1.15),
        tint=0.03,
        head=(0.52, 0.66),
        motion=1.1,
        backdrop=("shelf", "street"),
    ),
}
