"""The network of waifu2x that enlarges photos, as an ONNX file.

usage: restore_photo.py noise0_scale2.0x_model.param noise0_scale2.0x_model.bin restore_photo.onnx

Reads the two published files of ncnn: a text that names the layers, and their numbers one after the other, weights
in 16 bits, biases in 32. Every weight is written as it is, in 32 bits. The network takes RGB, 0..=1, and gives the
picture without its outer `MARGIN` pixels, twice as large. Needs numpy and onnx.
"""

import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

# Side of the network's input: a tile and its margin on both sides. See `restore.rs`.
SIDE = 78
# Pixels that the convolutions use up at each edge.
MARGIN = 7
# What ncnn writes before weights in 16 bits.
HALF = 0x01306B47


class Numbers:
    """The numbers of the file, in the order in which they are used."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, kind, count):
        found = numpy.frombuffer(self.data, kind, count, self.at)
        # Every piece begins at a multiple of four bytes.
        self.at += (found.nbytes + 3) // 4 * 4
        return found

    def weights(self, count):
        tag = int(self.take("<u4", 1)[0])
        assert tag == HALF, f"weights of another kind: {tag:#x}"
        return self.take("<f2", count)


def layers(text):
    """Kind, name and parameters of each layer after the input."""
    lines = text.splitlines()
    assert lines[0] == "7767517", "not a text of ncnn"
    for line in lines[3:]:
        kind, name, inputs, outputs, *rest = line.split()
        assert (inputs, outputs) == ("1", "1"), "not a chain of layers"
        given = dict(item.split("=") for item in rest[2:])
        yield kind, name, {int(key): value for key, value in given.items()}


def main(text, numbers, target):
    with open(text) as file:
        chain = list(layers(file.read()))
    with open(numbers, "rb") as file:
        numbers = Numbers(file.read())
    nodes, constants, channels, margin, x = [], [], 3, 0, "picture"
    for kind, name, given in chain:
        made, side, count = int(given[0]), int(given[1]), int(given[6])
        # ncnn's order is output, input, row, column for both kinds.
        weights = numbers.weights(count).reshape(made, channels, side, side)
        bias = numbers.take("<f4", made)
        if kind == "Deconvolution":
            weights = weights.transpose(1, 0, 2, 3)
        weights = numpy.ascontiguousarray(weights, numpy.float32)
        constants.append(numpy_helper.from_array(weights, name + "_weights"))
        constants.append(numpy_helper.from_array(bias.copy(), name + "_bias"))
        inputs = [x, name + "_weights", name + "_bias"]
        if kind == "Convolution":
            assert (side, given[9]) == (3, "2") and 3 not in given and 4 not in given
            nodes.append(helper.make_node("Conv", inputs, [name], kernel_shape=[3, 3]))
            slope = float(given[-23310].split(",")[1])
            x = name + "_relu"
            nodes.append(helper.make_node("LeakyRelu", [name], [x], alpha=slope))
            margin += 1
        else:
            stride, pad = int(given[3]), int(given[4])
            assert (kind, side, stride, pad, made) == ("Deconvolution", 4, 2, 3, 3)
            x = "restored"
            sides = {"kernel_shape": [4, 4], "strides": [2, 2], "pads": [3] * 4}
            nodes.append(helper.make_node("ConvTranspose", inputs, [x], **sides))
            margin += 1
        channels = made
    assert numbers.at == len(numbers.data), "numbers left over"
    assert (x, margin) == ("restored", MARGIN), "another network"
    inner = 2 * (SIDE - 2 * MARGIN)
    given = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    made = helper.make_tensor_value_info("restored", TensorProto.FLOAT, [1, 3, inner, inner])
    built = helper.make_graph(nodes, "restore_photo", [given], [made], constants)
    model = helper.make_model(built, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, target)


main(*sys.argv[1:])
