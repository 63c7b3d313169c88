from __future__ import annotations

import numpy as np
import torch

from trainers.step import cut, draw_corners


def test_a_cut_is_the_square_at_its_corner() -> None:
    images = torch.arange(2 * 3 * 6 * 7, dtype=torch.float32).reshape(2, 3, 6, 7)
    squares = cut(images, torch.tensor([[0, 4], [3, 1]]), 3)
    assert torch.equal(squares[0], images[0, :, 0:3, 4:7])
    assert torch.equal(squares[1], images[1, :, 3:6, 1:4])


def test_corners_are_drawn_evenly_over_all_that_fit() -> None:
    corners = draw_corners(0, 5, np.arange(2000), patches=4, px=64, size=71)
    assert corners.shape == (4, 2000, 2)
    counts = np.bincount(corners.reshape(-1), minlength=8)
    assert len(counts) == 8
    assert counts.min() > 1800
    assert counts.max() < 2200


def test_corners_do_not_depend_on_how_a_batch_is_divided() -> None:
    whole = draw_corners(3, 7, np.arange(10), patches=2, px=8, size=32)
    halves = [draw_corners(3, 7, part, patches=2, px=8, size=32) for part in (np.arange(5), np.arange(5, 10))]
    assert np.array_equal(whole, np.concatenate(halves, axis=1))
    assert not np.array_equal(whole, draw_corners(3, 8, np.arange(10), patches=2, px=8, size=32))


def test_a_square_as_large_as_the_image_is_the_image() -> None:
    images = torch.randn(2, 3, 8, 8)
    corners = draw_corners(0, 0, np.arange(2), patches=1, px=8, size=8)
    assert torch.equal(cut(images, torch.from_numpy(corners[0]), 8), images)
