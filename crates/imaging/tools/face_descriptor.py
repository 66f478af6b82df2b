"""The face descriptor of dlib as an ONNX file with 8-bit weights.

usage: face_descriptor.py dlib_face_recognition_resnet_model_v1.dat face_descriptor.onnx

Reads the published file's tensors (each one with its length before it), folds the per-channel scales
into the convolutions before them, rounds each filter to 8 bits with a scale of its own, and writes the
network with `DequantizeLinear` before each convolution. Needs numpy and onnx.
"""

import struct
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

# Channels and number of the blocks, from the input on; all but the first level begin by halving.
LEVELS = [(32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True)]
# Side of the network's input, which is (colour - mean) / 256 for the mean (122.782, 117.001, 104.298).
SIDE = 150


class Tensors:
    """The parameter tensors of the file, in the order in which they are used."""

    def __init__(self, data):
        self.data, self.at = data, 0

    @staticmethod
    def integer(value):
        size = (value.bit_length() + 7) // 8
        return bytes([size]) + value.to_bytes(size, "little")

    def take(self, count, shape=None):
        # Version 2, then the four sides: `count` x 1 x 1 x 1 or what `shape` says.
        sides = shape or (count, 1, 1, 1)
        head = b"\x01\x02" + b"".join(self.integer(side) for side in sides)
        at = self.data.index(head, self.at) + len(head)
        self.at = at + 4 * count
        return numpy.frombuffer(self.data, "<f4", count, at).astype(numpy.float64)


class Graph:
    def __init__(self, tensors):
        self.tensors, self.nodes, self.weights, self.count = tensors, [], [], 0

    def constant(self, name, value):
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind, inputs, **attributes):
        self.count += 1
        name = f"{kind.lower()}{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def rounded(self, name, filters):
        """Each filter in 8 bits, and its scale."""
        rows = filters.reshape(len(filters), -1)
        scale = numpy.maximum(numpy.abs(rows).max(axis=1) / 127, 1e-12).astype(numpy.float32)
        whole = numpy.rint(rows / scale[:, None]).clip(-127, 127).astype(numpy.int8)
        names = [
            self.constant(name, whole.reshape(filters.shape)),
            self.constant(name + "_scale", scale),
            self.constant(name + "_zero", numpy.zeros(len(filters), numpy.int8)),
        ]
        return self.node("DequantizeLinear", names, axis=0)

    def convolution(self, x, channels, side, stride):
        inputs = channels[0]
        count = channels[1] * inputs * side * side
        values = self.tensors.take(count + channels[1])
        filters = values[:count].reshape(channels[1], inputs, side, side)
        bias = values[count:]
        scales = self.tensors.take(2 * channels[1])
        gamma, beta = scales[: channels[1]], scales[channels[1] :]
        name = f"w{self.count}"
        weights = self.rounded(name, filters * gamma[:, None, None, None])
        bias = self.constant(name + "_bias", (bias * gamma + beta).astype(numpy.float32))
        pad = side // 2 if stride == 1 else 0
        return self.node(
            "Conv",
            [x, weights, bias],
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def padded(self, x, channels, side):
        """Zeros behind the last channel, row and column."""
        if channels == 0 and side == 0:
            return x
        pads = numpy.array([0, 0, 0, 0, 0, channels, side, side], numpy.int64)
        return self.node("Pad", [x, self.constant(f"pads{self.count}", pads)])

    def block(self, x, size, channels, halves):
        stride = 2 if halves else 1
        inputs, side = size
        y = self.convolution(x, (inputs, channels), 3, stride)
        y = self.node("Relu", [y])
        y = self.convolution(y, (channels, channels), 3, 1)
        if halves:
            x = self.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
            x = self.padded(x, channels - inputs, 0)
            convolved, pooled = (side - 3) // 2 + 1, side // 2
            y = self.padded(y, 0, pooled - convolved)
            side = pooled
        return self.node("Relu", [self.node("Add", [x, y])]), (channels, side)


def main(source, target):
    with open(source, "rb") as file:
        graph = Graph(Tensors(file.read()))
    x = graph.convolution("chip", (3, 32), 7, 2)
    x = graph.node("Relu", [x])
    x = graph.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])
    size = (32, 35)
    for channels, blocks, halves in LEVELS:
        for number in range(blocks):
            x, size = graph.block(x, size, channels, halves and number == 0)
    x = graph.node("GlobalAveragePool", [x])
    x = graph.node("Flatten", [x])
    last = graph.tensors.take(256 * 128, (256, 128, 1, 1)).reshape(256, 128)
    last = graph.rounded("last", last.T.copy())
    x = graph.node("Gemm", [x, last], transB=1)
    assert len(graph.tensors.data) - graph.tensors.at < 200, "tensors left over"
    graph.nodes.append(helper.make_node("Identity", [x], ["descriptor"]))
    given = helper.make_tensor_value_info("chip", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    made = helper.make_tensor_value_info("descriptor", TensorProto.FLOAT, [1, 128])
    built = helper.make_graph(graph.nodes, "face_descriptor", [given], [made], graph.weights)
    model = helper.make_model(built, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, target)


main(*sys.argv[1:])
