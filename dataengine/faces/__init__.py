"""Faces in frames: detectors, tracks through a clip, boxes from a file, crops, alignment, and what was found."""

from dataengine.faces.face import Face as Face
