//! Writes ONNX files: the few messages and fields of `onnx.proto3` that the tests need.

/// A protocol buffer under construction.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }
}

/// The contents of a tensor.
pub(crate) enum Values {
    F32(Vec<f32>),
    I8(Vec<i8>),
    I32(Vec<i32>),
    I64(Vec<i64>),
}

/// An attribute of a node.
pub(crate) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Graph(Graph),
}

/// A graph under construction.
#[derive(Clone, Default)]
pub(crate) struct Graph(Message);

impl Graph {
    pub(crate) fn input(self, name: &str, shape: &[i64]) -> Self {
        Self(self.0.message(11, &value_info(name, shape)))
    }

    pub(crate) fn output(self, name: &str, shape: &[i64]) -> Self {
        Self(self.0.message(12, &value_info(name, shape)))
    }

    pub(crate) fn tensor(self, name: &str, shape: &[i64], values: Values) -> Self {
        let (kind, raw): (i64, Vec<u8>) = match values {
            Values::F32(v) => (1, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Values::I8(v) => (3, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Values::I32(v) => (6, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Values::I64(v) => (7, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        };
        let tensor = shape.iter().fold(Message::default(), |m, size| m.int(1, *size));
        Self(self.0.message(5, &tensor.int(2, kind).text(8, name).bytes(9, &raw)))
    }

    /// A node named after its first output.
    pub(crate) fn node(
        self,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Self {
        let mut node = inputs.iter().fold(Message::default(), |m, name| m.text(1, name));
        node = outputs.iter().fold(node, |m, name| m.text(2, name));
        node = node.text(3, outputs[0]).text(4, op);
        for (name, value) in attributes {
            let attribute = Message::default().text(1, name);
            let attribute = match value {
                Attribute::Int(value) => attribute.int(3, *value).int(20, 2),
                Attribute::Ints(values) => {
                    values.iter().fold(attribute, |m, value| m.int(8, *value)).int(20, 7)
                }
                Attribute::Graph(graph) => attribute.message(6, &graph.0).int(20, 5),
            };
            node = node.message(5, &attribute);
        }
        Self(self.0.message(1, &node))
    }

    /// The bytes of an ONNX file with this graph, operator set 17.
    pub(crate) fn file(self) -> Vec<u8> {
        let operators = Message::default().int(2, 17);
        Message::default().int(1, 8).message(7, &self.0.text(2, "test")).message(8, &operators).0
    }
}

/// Name and shape of a 32-bit float tensor.
fn value_info(name: &str, shape: &[i64]) -> Message {
    let shape =
        shape.iter().fold(Message::default(), |m, size| m.message(1, &Message::default().int(1, *size)));
    let tensor = Message::default().int(1, 1).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
