//! The convolutions of an ONNX file.

use rten_onnx::onnx::{AttributeProto, ModelProto, NodeProto, TensorProto};

/// A convolution as the file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Maps that it makes.
    pub outputs: usize,
    /// Maps that it is made from.
    pub inputs: usize,
    /// Height and width of what it looks at.
    pub kernel: [usize; 2],
    /// Distance between the pixels that it looks at.
    pub dilation: usize,
    /// By output, input, row and column.
    pub weights: Vec<f32>,
    /// One for each output.
    pub bias: Vec<f32>,
}

/// Why an ONNX file was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is not an ONNX file.
    #[error("not an ONNX file: {0}")]
    Parse(String),
    /// A convolution is of a kind that is not known here.
    #[error("convolution {number}: {what}")]
    Layer {
        /// Which one, from 0.
        number: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// The convolutions of a file, in its order.
///
/// # Errors
///
/// When the file is not ONNX, or a convolution lacks weights or bias, has groups, steps over pixels, or
/// looks further in one direction than in the other.
pub fn layers(file: &[u8]) -> Result<Vec<Layer>, ReadError> {
    each(file, "Conv", plain)
}

/// The transposed convolutions of a file that make maps twice as large, in its order, each as a
/// convolution of 3 x 3 that makes four maps for each of theirs: of the pixels left above, right
/// above, left below and right below.
///
/// # Errors
///
/// When the file is not ONNX, or a transposed convolution is not of 4 x 4, in steps of two, with three
/// pixels taken off each side.
pub fn doubling_layers(file: &[u8]) -> Result<Vec<Layer>, ReadError> {
    each(file, "ConvTranspose", doubling)
}

fn each(
    file: &[u8],
    kind: &str,
    read: fn(&Node<'_>) -> Result<Layer, &'static str>,
) -> Result<Vec<Layer>, ReadError> {
    let model = ModelProto::parse_buf(file).map_err(|e| ReadError::Parse(e.to_string()))?;
    let graph = model
        .graph
        .ok_or_else(|| ReadError::Parse("there is no graph".to_owned()))?;
    let of_kind = |node: &&NodeProto| node.op_type.as_deref() == Some(kind);
    let found = graph.node.iter().filter(of_kind).enumerate();
    found
        .map(|(number, node)| {
            let error = |what| ReadError::Layer { number, what };
            let node = Node::new(node, &graph.initializer).map_err(error)?;
            read(&node).map_err(error)
        })
        .collect()
}

/// A node with its numbers.
struct Node<'a> {
    attributes: &'a [AttributeProto],
    dims: [usize; 4],
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl<'a> Node<'a> {
    fn new(node: &'a NodeProto, tensors: &[TensorProto]) -> Result<Self, &'static str> {
        let tensor = |place: usize| {
            let name = node.input.get(place)?;
            tensors.iter().find(|t| t.name.as_ref() == Some(name))
        };
        let weights = tensor(1).ok_or("no weights")?;
        let bias = tensor(2).ok_or("no bias")?;
        let dims: Option<Vec<usize>> = weights
            .dims
            .iter()
            .map(|&dim| usize::try_from(dim).ok().filter(|dim| *dim > 0))
            .collect();
        let dims = dims.and_then(|dims| dims.try_into().ok());
        let node = Self {
            attributes: &node.attribute,
            dims: dims.ok_or("weights of another shape")?,
            weights: numbers(weights),
            bias: numbers(bias),
        };
        let count = node
            .dims
            .iter()
            .try_fold(1usize, |n, dim| n.checked_mul(*dim));
        (count == Some(node.weights.len()))
            .then_some(node)
            .ok_or("weights are missing")
    }

    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        let named = |a: &&AttributeProto| a.name.as_deref() == Some(name);
        self.attributes.iter().find(named)
    }

    fn ints(&self, name: &str) -> &[i64] {
        self.attribute(name).map_or(&[], |a| &a.ints)
    }

    /// `layer`, unless there are groups or a bias is missing.
    fn checked(&self, layer: Layer) -> Result<Layer, &'static str> {
        if self
            .attribute("group")
            .is_some_and(|a| a.i.unwrap_or(1) != 1)
        {
            return Err("groups");
        }
        let fits = layer.bias.len() == layer.outputs;
        fits.then_some(layer).ok_or("a bias is missing")
    }
}

fn plain(node: &Node<'_>) -> Result<Layer, &'static str> {
    let [outputs, inputs, height, width] = node.dims;
    if node.ints("strides").iter().any(|&step| step != 1) {
        return Err("steps");
    }
    let dilation = match node.ints("dilations") {
        [] => 1,
        &[down, across] if down == across && down > 0 => down as usize,
        _ => return Err("two dilations, or none"),
    };
    let layer = Layer {
        outputs,
        inputs,
        kernel: [height, width],
        dilation,
        weights: node.weights.clone(),
        bias: node.bias.clone(),
    };
    node.checked(layer)
}

fn doubling(node: &Node<'_>) -> Result<Layer, &'static str> {
    /// Which of the four weights of a side a near pixel has, before, at and after the place, for the
    /// first and the second of the two pixels that are made there.
    const TAKEN: [[Option<usize>; 3]; 2] = [[Some(3), Some(1), None], [None, Some(2), Some(0)]];
    let [inputs, outputs, height, width] = node.dims;
    let is_doubling = (height, width) == (4, 4)
        && node.ints("strides") == [2, 2]
        && node.ints("pads") == [3; 4]
        && node.ints("dilations").iter().all(|&d| d == 1);
    if !is_doubling {
        return Err("not doubling");
    }
    let mut weights = Vec::with_capacity(outputs * 4 * inputs * 9);
    for output in 0..outputs {
        for (down, across) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            for input in 0..inputs {
                for near in 0..9 {
                    let taken = TAKEN[down][near / 3].zip(TAKEN[across][near % 3]);
                    let at = |(row, column)| {
                        node.weights[((input * outputs + output) * 4 + row) * 4 + column]
                    };
                    weights.push(taken.map_or(0.0, at));
                }
            }
        }
    }
    let layer = Layer {
        outputs: outputs * 4,
        inputs,
        kernel: [3, 3],
        dilation: 1,
        weights,
        bias: node.bias.iter().flat_map(|&bias| [bias; 4]).collect(),
    };
    node.checked(layer)
}

fn numbers(tensor: &TensorProto) -> Vec<f32> {
    let Some(raw) = &tensor.raw_data else {
        return tensor.float_data.clone();
    };
    let raw = raw.borrow();
    let (numbers, _) = raw.as_chunks::<4>();
    numbers.iter().map(|&n| f32::from_le_bytes(n)).collect()
}
