//! What keeps a graph from being a network of the contract.

/// The operators that a graph may use.
pub const SUPPORTED: &str = "Conv, BatchNormalization, Relu, MaxPool, Transpose, Reshape, Unsqueeze, Squeeze, Flatten, \
                             Identity, Constant, LSTM, ReduceMean, Gather, Gemm, MatMul, Add";

/// Why a graph is not a network of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// An operator that cannot be quantized.
    Unsupported {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
    },
    /// An operator where the contract has another one.
    Order {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
    },
    /// A node that doesn't take what the previous one gives, or whose parameters aren't constants of the right kind.
    Input {
        /// The node.
        node: String,
        /// Which input, from 0.
        input: usize,
        /// What must be there.
        wanted: &'static str,
    },
    /// An attribute outside the contract.
    Attribute {
        /// The node.
        node: String,
        /// The attribute.
        attribute: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Extents outside the contract.
    Shape {
        /// The node, input or output.
        what: String,
        /// Its extents.
        found: Vec<usize>,
        /// What they must be.
        wanted: String,
    },
    /// A weight that is no number.
    NotFinite {
        /// The layer.
        layer: String,
    },
    /// The chain ends too early.
    Ends {
        /// The last node.
        after: String,
    },
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsupported { node, op } => {
                write!(f, "node {node}: operator {op} is not supported; allowed: {SUPPORTED}")
            }
            Self::Order { node, op } => write!(
                f,
                "node {node}: {op} is out of place; the order is (Conv, BatchNormalization, Relu, MaxPool) once or more, \
                 then LSTM, ReduceMean or the last step, Gemm; or Gemm (or MatMul, Add), ReduceMean"
            ),
            Self::Input { node, input, wanted } => write!(f, "node {node}: input {input} must be {wanted}"),
            Self::Attribute { node, attribute, allowed } => {
                write!(f, "node {node}: attribute {attribute} is outside the contract; allowed: {allowed}")
            }
            Self::Shape { what, found, wanted } => {
                write!(f, "{what}: shape {found:?}; the contract wants {wanted}")
            }
            Self::NotFinite { layer } => {
                write!(f, "layer {layer}: a weight is NaN or infinite; export the network again")
            }
            Self::Ends { after } => write!(f, "the graph ends after {after}, before its logits"),
        }
    }
}

impl std::error::Error for ReadError {}
