"""A network with YuNet's outputs and no training: a cell that is blue is a face, whose size its stride gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)


def write_yunet_like(path: Path) -> None:
    """Scores are how blue a stride's cell is, boxes are of twice its side, all landmarks lie at its corner."""
    nodes, outputs = [], []
    constants = {"last": [0, -1, 1], "blue": np.array([1 / 255, 0, 0], np.float32).reshape(1, 3, 1, 1)}
    for stride in STRIDES:
        nodes += [
            helper.make_node("AveragePool", ["input"], [f"p{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2),
            helper.make_node("Conv", [f"p{stride}", "blue"], [f"b{stride}"]),
            helper.make_node("Reshape", [f"b{stride}", "last"], [f"cls_{stride}"]),
            helper.make_node("Identity", [f"cls_{stride}"], [f"obj_{stride}"]),
        ]
        for head, size, value in (("bbox", 4, [0, 0, np.log(2), np.log(2)]), ("kps", 10, [0] * 10)):
            constants[f"{head}w{stride}"] = np.zeros((1, size), np.float32)
            constants[f"{head}b{stride}"] = np.array(value, np.float32)
            product, name = f"{head}p{stride}", f"{head}_{stride}"
            nodes += [
                helper.make_node("MatMul", [f"cls_{stride}", f"{head}w{stride}"], [product]),
                helper.make_node("Add", [product, f"{head}b{stride}"], [name]),
            ]
    for head, size in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in STRIDES:
            shape = [1, (640 // stride) ** 2, size]
            outputs.append(helper.make_tensor_value_info(f"{head}_{stride}", TensorProto.FLOAT, shape))
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    named = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "yunet-like", [image], outputs, named)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.save(model, str(path))
