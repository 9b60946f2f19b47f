//! ONNX files and the engine that runs them: the one file that names tract and its protobuf types.
//!
//! The rest of the crate sees the plain types below: a graph is named tensors and nodes. Only what the streaming
//! contract's graphs need is carried: f32, i64, i32 and i8 tensors; integer, float, list, text and graph attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::prelude::{
    Framework, InferenceModelExt, IntoRunnable, IntoTValue, TValue, Tensor as TractTensor, TypedSimplePlan,
    tvec,
};

/// A tensor's numbers, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit integers: shapes, axes.
    I64(Vec<i64>),
    /// 32-bit integers: biases of quantized convolutions.
    I32(Vec<i32>),
    /// 8-bit integers: quantized weights and zero points.
    I8(Vec<i8>),
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// The numbers.
    pub data: Data,
}

/// A node's attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f32),
    /// A list of integers.
    Ints(Vec<i64>),
    /// A list of texts.
    Texts(Vec<String>),
    /// A text.
    Text(String),
    /// A constant.
    Tensor(Tensor),
    /// A body.
    Graph(Graph),
    /// A kind that no graph of the contract uses.
    Other,
}

/// An operator with its inputs and outputs by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The node's name.
    pub name: String,
    /// The operator, with its domain where that is not ONNX's own.
    pub op: String,
    /// Names of the inputs; empty where an optional one is left out.
    pub inputs: Vec<String>,
    /// Names of the outputs; empty where an optional one is left out.
    pub outputs: Vec<String>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
}

/// A graph's f32 input or output. A dimension of 0 stands for one that the file leaves open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Extents.
    pub shape: Vec<usize>,
}

impl Value {
    /// A value of fixed shape.
    #[must_use]
    pub fn new(name: &str, shape: &[usize]) -> Self {
        Self { name: name.into(), shape: shape.into() }
    }
}

/// Nodes in topological order, and what they start from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The graph's name.
    pub name: String,
    /// Inputs that are not constants.
    pub inputs: Vec<Value>,
    /// Outputs.
    pub outputs: Vec<Value>,
    /// Constants by name.
    pub constants: BTreeMap<String, Tensor>,
    /// The operators.
    pub nodes: Vec<Node>,
}

/// A file: a graph and what is written beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Version of ONNX's operators.
    pub opset: i64,
    /// Free texts by name, for example `labels`.
    pub metadata: BTreeMap<String, String>,
    /// The graph.
    pub graph: Graph,
}

/// Why a file is not a graph that can be read or run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnnxError {
    /// The bytes are no ONNX file.
    NotOnnx,
    /// A constant has numbers of a kind that the contract doesn't use.
    Element {
        /// The constant's name.
        tensor: String,
        /// ONNX's number of the element type.
        code: i32,
    },
    /// A constant's numbers don't fill its shape, or lie in another file.
    Incomplete {
        /// The constant's name.
        tensor: String,
    },
    /// The engine does not accept or cannot run the graph.
    Engine {
        /// What it said.
        reason: String,
    },
}

impl std::fmt::Display for OnnxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotOnnx => f.write_str("this is no ONNX file"),
            Self::Element { tensor, code } => {
                write!(
                    f,
                    "constant {tensor}: element type {code} is not supported; allowed: f32, i64, i32, i8"
                )
            }
            Self::Incomplete { tensor } => {
                write!(
                    f,
                    "constant {tensor}: its numbers don't fill its shape (external data is not supported)"
                )
            }
            Self::Engine { reason } => write!(f, "tract cannot run the graph: {reason}"),
        }
    }
}

impl std::error::Error for OnnxError {}

impl Model {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// What is wrong with the bytes or a constant.
    pub fn decode(bytes: &[u8]) -> Result<Self, OnnxError> {
        let proto = pb::ModelProto::decode(bytes).map_err(|_| OnnxError::NotOnnx)?;
        let graph = proto.graph.as_ref().ok_or(OnnxError::NotOnnx)?;
        Ok(Self {
            opset: proto.opset_import.iter().find(|o| o.domain.is_empty()).map_or(0, |o| o.version),
            metadata: proto.metadata_props.iter().map(|e| (e.key.clone(), e.value.clone())).collect(),
            graph: graph_from(graph)?,
        })
    }

    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let metadata = self.metadata.iter();
        pb::ModelProto {
            // The oldest format version that knows operator set 17.
            ir_version: 8,
            opset_import: vec![pb::OperatorSetIdProto { version: self.opset, ..Default::default() }],
            producer_name: env!("CARGO_PKG_NAME").into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(graph_to(&self.graph)),
            metadata_props: metadata
                .map(|(key, value)| pb::StringStringEntryProto { key: key.clone(), value: value.clone() })
                .collect(),
            ..Default::default()
        }
        .encode_to_vec()
    }
}

fn graph_from(proto: &pb::GraphProto) -> Result<Graph, OnnxError> {
    let constants: BTreeMap<_, _> =
        proto.initializer.iter().map(|t| Ok((t.name.clone(), tensor_from(t)?))).collect::<Result<_, _>>()?;
    let values = |list: &[pb::ValueInfoProto]| -> Vec<Value> {
        list.iter().filter(|v| !constants.contains_key(&v.name)).map(value_from).collect()
    };
    Ok(Graph {
        name: proto.name.clone(),
        inputs: values(&proto.input),
        outputs: values(&proto.output),
        nodes: proto.node.iter().map(node_from).collect::<Result<_, _>>()?,
        constants,
    })
}

fn graph_to(graph: &Graph) -> pb::GraphProto {
    pb::GraphProto {
        name: graph.name.clone(),
        input: graph.inputs.iter().map(value_to).collect(),
        output: graph.outputs.iter().map(value_to).collect(),
        initializer: graph.constants.iter().map(|(name, tensor)| tensor_to(name, tensor)).collect(),
        node: graph.nodes.iter().map(node_to).collect(),
        ..Default::default()
    }
}

fn value_from(proto: &pb::ValueInfoProto) -> Value {
    let shape = match proto.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(pb::type_proto::Value::TensorType(tensor)) => tensor.shape.as_ref(),
        None => None,
    };
    let extent = |d: &Dimension| match d.value {
        Some(dimension::Value::DimValue(n)) => usize::try_from(n).unwrap_or(0),
        _ => 0,
    };
    Value { name: proto.name.clone(), shape: shape.map_or(vec![], |s| s.dim.iter().map(extent).collect()) }
}

fn value_to(value: &Value) -> pb::ValueInfoProto {
    let extent =
        |&n: &usize| Dimension { value: Some(dimension::Value::DimValue(n as i64)), ..Default::default() };
    let tensor = pb::type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(pb::TensorShapeProto { dim: value.shape.iter().map(extent).collect() }),
    };
    let kind = pb::TypeProto { value: Some(pb::type_proto::Value::TensorType(tensor)), ..Default::default() };
    pb::ValueInfoProto { name: value.name.clone(), r#type: Some(kind), ..Default::default() }
}

fn node_from(proto: &pb::NodeProto) -> Result<Node, OnnxError> {
    let op = match proto.domain.as_str() {
        "" | "ai.onnx" => proto.op_type.clone(),
        domain => format!("{domain}.{}", proto.op_type),
    };
    let attributes = proto.attribute.iter().map(|a| Ok((a.name.clone(), attribute_from(a)?)));
    Ok(Node {
        name: proto.name.clone(),
        op,
        inputs: proto.input.clone(),
        outputs: proto.output.clone(),
        attributes: attributes.collect::<Result<_, _>>()?,
    })
}

fn node_to(node: &Node) -> pb::NodeProto {
    pb::NodeProto {
        name: node.name.clone(),
        op_type: node.op.clone(),
        input: node.inputs.clone(),
        output: node.outputs.clone(),
        attribute: node.attributes.iter().map(|(name, value)| attribute_to(name, value)).collect(),
        ..Default::default()
    }
}

fn attribute_from(proto: &pb::AttributeProto) -> Result<Attribute, OnnxError> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    Ok(match (AttributeType::try_from(proto.r#type), &proto.t, &proto.g) {
        (Ok(AttributeType::Int), ..) => Attribute::Int(proto.i),
        (Ok(AttributeType::Float), ..) => Attribute::Float(proto.f),
        (Ok(AttributeType::Ints), ..) => Attribute::Ints(proto.ints.clone()),
        (Ok(AttributeType::String), ..) => Attribute::Text(text(&proto.s)),
        (Ok(AttributeType::Strings), ..) => Attribute::Texts(proto.strings.iter().map(text).collect()),
        (Ok(AttributeType::Tensor), Some(tensor), _) => Attribute::Tensor(tensor_from(tensor)?),
        (Ok(AttributeType::Graph), _, Some(graph)) => Attribute::Graph(graph_from(graph)?),
        _ => Attribute::Other,
    })
}

fn attribute_to(name: &str, value: &Attribute) -> pb::AttributeProto {
    let mut proto = pb::AttributeProto { name: name.into(), ..Default::default() };
    let kind = match value {
        Attribute::Int(i) => {
            proto.i = *i;
            AttributeType::Int
        }
        Attribute::Float(f) => {
            proto.f = *f;
            AttributeType::Float
        }
        Attribute::Ints(list) => {
            proto.ints.clone_from(list);
            AttributeType::Ints
        }
        Attribute::Text(text) => {
            proto.s = text.clone().into_bytes();
            AttributeType::String
        }
        Attribute::Texts(list) => {
            proto.strings = list.iter().map(|text| text.clone().into_bytes()).collect();
            AttributeType::Strings
        }
        Attribute::Tensor(tensor) => {
            proto.t = Some(tensor_to("", tensor));
            AttributeType::Tensor
        }
        Attribute::Graph(graph) => {
            proto.g = Some(graph_to(graph));
            AttributeType::Graph
        }
        Attribute::Other => AttributeType::Undefined,
    };
    proto.r#type = kind as i32;
    proto
}

/// The numbers of a constant: in the raw bytes, little-endian, or else in the typed list.
fn numbers<const N: usize, T: Clone>(raw: &[u8], decode: fn([u8; N]) -> T, listed: &[T]) -> Vec<T> {
    if raw.is_empty() {
        listed.to_vec()
    } else {
        raw.as_chunks().0.iter().map(|&bytes| decode(bytes)).collect()
    }
}

fn tensor_from(proto: &pb::TensorProto) -> Result<Tensor, OnnxError> {
    let name = || proto.name.clone();
    let shape: Vec<usize> = proto.dims.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
    let raw = proto.raw_data.as_slice();
    let data = match DataType::try_from(proto.data_type) {
        Ok(DataType::Float) => Data::F32(numbers(raw, f32::from_le_bytes, &proto.float_data)),
        Ok(DataType::Int64) => Data::I64(numbers(raw, i64::from_le_bytes, &proto.int64_data)),
        Ok(DataType::Int32) => Data::I32(numbers(raw, i32::from_le_bytes, &proto.int32_data)),
        Ok(DataType::Int8) => {
            let listed: Vec<i8> = proto.int32_data.iter().map(|&x| x as i8).collect();
            Data::I8(numbers(raw, i8::from_le_bytes, &listed))
        }
        _ => return Err(OnnxError::Element { tensor: name(), code: proto.data_type }),
    };
    let len = match &data {
        Data::F32(x) => x.len(),
        Data::I64(x) => x.len(),
        Data::I32(x) => x.len(),
        Data::I8(x) => x.len(),
    };
    if len == shape.iter().product::<usize>() {
        Ok(Tensor { shape, data })
    } else {
        Err(OnnxError::Incomplete { tensor: name() })
    }
}

fn tensor_to(name: &str, tensor: &Tensor) -> pb::TensorProto {
    let (kind, raw_data) = match &tensor.data {
        Data::F32(x) => (DataType::Float, x.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Data::I64(x) => (DataType::Int64, x.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Data::I32(x) => (DataType::Int32, x.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Data::I8(x) => (DataType::Int8, x.iter().flat_map(|v| v.to_le_bytes()).collect()),
    };
    let dims = tensor.shape.iter().map(|&d| d as i64).collect();
    pb::TensorProto { name: name.into(), dims, data_type: kind as i32, raw_data, ..Default::default() }
}

/// A graph that tract has loaded and optimized for this machine. Every run starts from a fresh state: an imported Scan or
/// LSTM would otherwise go on where the last run ended.
#[derive(Clone)]
pub struct Engine {
    plan: Arc<TypedSimplePlan>,
    shape: Vec<usize>,
}

impl Engine {
    /// Loads a file's bytes. With `stop_at`, the outputs of these nodes are the engine's outputs instead of the graph's.
    ///
    /// # Errors
    /// [`OnnxError::Engine`] with tract's reason.
    pub fn load(bytes: &[u8], stop_at: &[&str]) -> Result<Self, OnnxError> {
        let engine = |error| OnnxError::Engine { reason: format!("{error:#}") };
        let mut model = tract_onnx::onnx().model_for_read(&mut &bytes[..]).map_err(engine)?;
        if !stop_at.is_empty() {
            model = model.with_outputs_by_name(stop_at).map_err(engine)?;
        }
        let graph = Model::decode(bytes)?.graph;
        let shape = graph.inputs.first().map_or(vec![], |value| value.shape.clone());
        let plan = model.into_optimized().and_then(|model| model.into_runnable()).map_err(engine)?;
        Ok(Self { plan, shape })
    }

    /// The outputs for one input of the graph's shape, each flattened and as f32 whatever its element type.
    ///
    /// # Errors
    /// [`OnnxError::Engine`] with tract's reason.
    pub fn run(&self, input: &[f32]) -> Result<Vec<Vec<f32>>, OnnxError> {
        let engine = |error| OnnxError::Engine { reason: format!("{error:#}") };
        let tensor = TractTensor::from_shape(&self.shape, input).map_err(engine)?;
        let outputs = self.plan.run(tvec!(tensor.into_tvalue())).map_err(engine)?;
        let flat = |value: &TValue| {
            Ok(value.cast_to::<f32>()?.to_plain_array_view::<f32>()?.iter().copied().collect())
        };
        outputs.iter().map(|value| flat(value).map_err(engine)).collect()
    }
}
