use super::*;
use crate::onnx::{Engine, Value};
use crate::testing::{assert_close, float_model, network, windows, without_lstm};

const FRAMES: usize = 22;
const BANDS: usize = 8;

fn model() -> Model {
    float_model(&network(1, FRAMES, BANDS, ReadOut::Mean))
}

fn node<'a>(model: &'a mut Model, name: &str) -> &'a mut Node {
    model.graph.nodes.iter_mut().find(|node| node.name == name).unwrap()
}

fn refused(model: &Model) -> String {
    read(model, FRAMES, BANDS).unwrap_err().to_string()
}

#[test]
fn a_written_graph_is_read_back_and_computes_what_tract_computes() {
    for read_out in [ReadOut::Mean, ReadOut::Last] {
        let network = network(7, FRAMES, BANDS, read_out);
        let bytes = float_model(&network).encode();
        let found = read(&Model::decode(&bytes).unwrap(), FRAMES, BANDS).unwrap();
        assert_eq!(found, network);
        let engine = Engine::load(&bytes, &[]).unwrap();
        for window in windows(3, 4, &network) {
            assert_close(&found.forward(&window).logits, &engine.run(&window).unwrap()[0], 1e-5);
        }
    }
}

#[test]
fn a_network_without_lstm_is_read_in_either_spelling() {
    let network = without_lstm(7, FRAMES, BANDS);
    let gemm = float_model(&network);
    // [steps, 1, inputs] · [inputs, labels] + bias, the mean over the first axis.
    let mut matmul = gemm.clone();
    let (graph, inputs, labels) = (&mut matmul.graph, network.projection.inputs, network.labels());
    let turned = (0..inputs * labels).map(|i| network.projection.weights[i % labels * inputs + i / labels]);
    let turned = Tensor { shape: vec![inputs, labels], data: Data::F32(turned.collect()) };
    graph.constants.insert("turned".into(), turned);
    let steps = vec![network.steps() as i64, 1, -1];
    graph.constants.insert("steps_shape".into(), Tensor { shape: vec![3], data: Data::I64(steps) });
    let at = graph.nodes.iter().position(|n| n.name == "dense").unwrap();
    let node = |op: &str, from: &str, parameter: &str, to: &str| Node {
        name: to.into(),
        op: op.into(),
        inputs: vec![from.into(), parameter.into()],
        outputs: vec![to.into()],
        attributes: Default::default(),
    };
    let spelled = [
        node("MatMul", "steps_out", "turned", "products"),
        node("Add", "products", "dense_bias", "dense_out"),
    ];
    graph.nodes.splice(at..=at, spelled);
    self::node(&mut matmul, "mean").attributes.insert("axes".into(), Attribute::Ints(vec![0]));
    self::node(&mut matmul, "mean").attributes.insert("keepdims".into(), Attribute::Int(0));

    for model in [gemm, matmul] {
        let bytes = model.encode();
        let found = read(&Model::decode(&bytes).unwrap(), FRAMES, BANDS).unwrap();
        assert_eq!(found, network);
        let engine = Engine::load(&bytes, &[]).unwrap();
        for window in windows(3, 4, &network) {
            assert_close(&found.forward(&window).logits, &engine.run(&window).unwrap()[0], 1e-5);
        }
    }
}

#[test]
fn what_a_network_without_lstm_must_not_be_is_named() {
    let model = || float_model(&without_lstm(7, FRAMES, BANDS));
    // The mean over the labels, and no mean at all.
    let mut other = model();
    node(&mut other, "mean").attributes.insert("axes".into(), Attribute::Ints(vec![1]));
    assert!(
        refused(&other).contains("mean: shape [4, 3]; the contract wants the mean over the steps"),
        "{}",
        refused(&other)
    );
    let mut short = model();
    short.graph.nodes.pop();
    assert!(refused(&short).contains("ends after dense"), "{}", refused(&short));
    // Labels in a column.
    let mut turned = model();
    let graph = &mut turned.graph;
    graph.constants.insert("column".into(), Tensor { shape: vec![2], data: Data::I64(vec![3, 1]) });
    graph.nodes.last_mut().unwrap().outputs = vec!["row".into()];
    graph.nodes.push(Node {
        name: "turned".into(),
        op: "Reshape".into(),
        inputs: vec!["row".into(), "column".into()],
        outputs: vec!["logits".into()],
        attributes: Default::default(),
    });
    assert!(refused(&turned).contains("output logits: shape [3, 1]"), "{}", refused(&turned));
    let mut broken = model();
    if let Some(Tensor { data: Data::F32(values), .. }) = broken.graph.constants.get_mut("dense_weight") {
        values[1] = f32::INFINITY;
    }
    assert_eq!(read(&broken, FRAMES, BANDS), Err(ReadError::NotFinite { layer: "dense".into() }));
}

#[test]
fn the_window_is_read_from_the_input() {
    let of = |extents: &[usize]| {
        let mut model = model();
        model.graph.inputs = vec![Value::new("log_mel", extents)];
        window(&model)
    };
    assert_eq!(of(&[1, 54, 128]), Ok(WindowLength::of_steps(5).unwrap()));
    for frames in [0, 171, 8 * 33 + 14] {
        let text = of(&[1, frames, 128]).unwrap_err().to_string();
        assert!(text.contains("log_mel") && text.contains("1 to 32 steps"), "{text}");
    }
}

#[test]
fn the_order_of_features_is_followed_through_any_arrangement() {
    // Another spelling of the same arrangement: [1, C, T, F] → [C, T, F] → [T, C, F] → [T, 1, C·F].
    let mut other = model();
    let graph = &mut other.graph;
    graph.constants.insert("first".into(), Tensor { shape: vec![1], data: Data::I64(vec![0]) });
    graph.constants.insert("second".into(), Tensor { shape: vec![1], data: Data::I64(vec![1]) });
    let at = graph.nodes.iter().position(|n| n.name == "steps_first").unwrap();
    let layout = |op: &str, from: &str, parameter: Option<&str>, to: &str| Node {
        name: to.into(),
        op: op.into(),
        inputs: [Some(from), parameter].into_iter().flatten().map(String::from).collect(),
        outputs: vec![to.into()],
        attributes: Default::default(),
    };
    let mut turn = layout("Transpose", "a", None, "b");
    turn.attributes.insert("perm".into(), Attribute::Ints(vec![1, 0, 2]));
    let spelled = [
        layout("Squeeze", "pool2_out", Some("first"), "a"),
        turn,
        layout("Flatten", "b", None, "c"),
        layout("Unsqueeze", "c", Some("second"), "steps_out"),
    ];
    graph.nodes.splice(at..at + 2, spelled);
    assert_eq!(read(&other, FRAMES, BANDS).unwrap(), read(&model(), FRAMES, BANDS).unwrap());

    // Bands before channels is another network.
    let mut swapped = model();
    node(&mut swapped, "steps_first").attributes.insert("perm".into(), Attribute::Ints(vec![2, 0, 3, 1]));
    assert!(refused(&swapped).contains("feature = channel · 2 + band"), "{}", refused(&swapped));
}

#[test]
fn the_last_step_may_be_gathered() {
    let mut model = float_model(&network(1, FRAMES, BANDS, ReadOut::Mean));
    let graph = &mut model.graph;
    graph.constants.insert("index".into(), Tensor { shape: vec![], data: Data::I64(vec![-1]) });
    graph.constants.insert("flat".into(), Tensor { shape: vec![2], data: Data::I64(vec![1, -1]) });
    let at = graph.nodes.iter().position(|n| n.name == "mean").unwrap();
    let node = |op: &str, inputs: [&str; 2], output: &str| Node {
        name: output.into(),
        op: op.into(),
        inputs: inputs.map(String::from).into(),
        outputs: vec![output.into()],
        attributes: Default::default(),
    };
    graph.nodes.splice(
        at..=at,
        [
            node("Gather", ["lstm_out", "index"], "gathered"),
            node("Reshape", ["gathered", "flat"], "mean_out"),
        ],
    );
    let read_out = |model: &Model| match read(model, FRAMES, BANDS).unwrap().head {
        Head::Lstm(lstm) => lstm.read_out,
        Head::Mean => panic!("there is an LSTM"),
    };
    assert_eq!(read_out(&model), ReadOut::Last);
    // Another step than the last is another network.
    model.graph.constants.insert("index".into(), Tensor { shape: vec![], data: Data::I64(vec![1]) });
    assert!(refused(&model).contains("the mean or the last"), "{}", refused(&model));
}

#[test]
fn an_operator_that_cannot_be_quantized_is_named() {
    let mut model = model();
    node(&mut model, "relu2").op = "Sigmoid".into();
    let text = refused(&model);
    assert!(text.contains("node relu2") && text.contains("operator Sigmoid"), "{text}");
}

#[test]
fn an_operator_out_of_place_is_named() {
    let mut model = model();
    model.graph.nodes.retain(|n| n.name != "relu1");
    node(&mut model, "pool1").inputs[0] = "norm1_out".into();
    let text = refused(&model);
    assert!(text.contains("node pool1") && text.contains("out of place"), "{text}");
}

#[test]
fn a_weight_that_is_no_number_is_named() {
    for (constant, layer) in
        [("conv2_weight", "conv2"), ("norm1_shift", "conv1"), ("lstm_recurrence", "lstm")]
    {
        let mut model = model();
        if let Some(Tensor { data: Data::F32(values), .. }) = model.graph.constants.get_mut(constant) {
            values[1] = f32::NAN;
        }
        assert_eq!(read(&model, FRAMES, BANDS), Err(ReadError::NotFinite { layer: layer.into() }));
    }
}

#[test]
fn shapes_outside_the_contract_are_named() {
    let mut model = model();
    model.graph.inputs = vec![Value::new("log_mel", &[1, FRAMES, BANDS + 1])];
    assert!(refused(&model).contains("input log_mel: shape [1, 22, 9]"), "{}", refused(&model));
    let text = read(&self::model(), 166, 128).unwrap_err().to_string();
    assert!(text.contains("log_mel [1, 166, 128]"), "{text}");
    let mut model = self::model();
    model
        .graph
        .constants
        .insert("dense_bias".into(), Tensor { shape: vec![4], data: Data::F32(vec![0.0; 4]) });
    assert!(refused(&model).contains("dense_bias: shape [4]"), "{}", refused(&model));
}

#[test]
fn attributes_outside_the_contract_are_named() {
    for (name, attribute, value, wanted) in [
        ("conv1", "pads", Attribute::Ints(vec![1, 1, 1, 1]), "valid in time"),
        ("conv2", "group", Attribute::Int(3), "attribute group"),
        ("pool1", "ceil_mode", Attribute::Int(1), "attribute ceil_mode"),
        ("lstm", "direction", Attribute::Text("reverse".into()), "attribute direction"),
        ("dense", "alpha", Attribute::Float(2.0), "attribute alpha"),
    ] {
        let mut model = model();
        node(&mut model, name).attributes.insert(attribute.into(), value);
        let text = refused(&model);
        assert!(text.contains(&format!("node {name}")) && text.contains(wanted), "{text}");
    }
}

#[test]
fn a_graph_that_ends_early_or_branches_is_refused() {
    let mut short = model();
    short.graph.nodes.pop();
    assert!(refused(&short).contains("ends after mean"), "{}", refused(&short));
    let mut branch = model();
    node(&mut branch, "conv2").inputs[0] = "relu1_out".into();
    assert!(refused(&branch).contains("node conv2: input 0"), "{}", refused(&branch));
    assert_eq!(Model::decode(b"no ONNX at all"), Err(crate::onnx::OnnxError::NotOnnx));
}
