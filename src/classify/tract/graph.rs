//! ONNX bytes → a runnable graph. The only file that names tract.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto, tensor_shape_proto::dimension, type_proto};
use tract_onnx::prelude::tract_linalg::mmm::MMMInputFormat;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::Cost;
use tract_onnx::tract_core::ops::binary::{OptBinByScalar, OptBinChain, OptBinUnicast, TypedBinOp};
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::matmul::optimized::{OptMatMul, ProtoFusedSpec};
use tract_onnx::tract_core::ops::nn::Reduce;
use tract_onnx::tract_core::ops::scan::{InputMapping, OptScan, Scan};

use super::plan::{PlannedNode, Product, Role};
use crate::spec::{FRAMES_PER_STEP, MAX_STEPS, MEL_BANDS, RECEPTIVE_MARGIN, WindowLength};

/// Name of the only input.
const INPUT: &str = "log_mel";
/// Name of the only output.
const OUTPUT: &str = "logits";

/// A graph of the streaming contract, ready to run: `log_mel` f32 `[1, frames, 128]` → `logits` f32 `[1, labels]`.
pub(super) struct Graph {
    window: WindowLength,
    state: TypedSimpleState,
    plan: Vec<PlannedNode>,
    /// Reused from run to run.
    input: Arc<Tensor>,
}

/// Why a graph cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphError {
    /// The bytes are not an ONNX model.
    NotOnnx {
        /// What the parser says.
        cause: String,
    },
    /// An input or output is not what the contract says.
    Interface {
        /// What: `input`, `output`.
        field: &'static str,
        /// What the graph has.
        found: String,
        /// What is required.
        required: String,
    },
    /// tract cannot run a node of the graph.
    Unsupported {
        /// What tract says.
        cause: String,
    },
}

impl core::fmt::Display for GraphError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotOnnx { cause } => write!(f, "not an ONNX model: {cause}"),
            Self::Interface { field, found, required } => {
                write!(f, "the graph's {field} is {found}; required: {required}")
            }
            Self::Unsupported { cause } => write!(f, "tract cannot run this graph: {cause}"),
        }
    }
}

impl core::error::Error for GraphError {}

impl Graph {
    /// Parses, checks and optimizes a graph whose input is a `window`; `None` takes any of the contract's.
    pub(super) fn load(onnx: &[u8], window: Option<WindowLength>, labels: usize) -> Result<Self, GraphError> {
        let framework = tract_onnx::onnx();
        let proto = framework
            .proto_model_for_read(&mut &*onnx)
            .map_err(|error| GraphError::NotOnnx { cause: format!("{error:#}") })?;
        let window = check_interface(&proto, window, labels)?;
        let optimized = optimize_guarded(&framework, &proto)?;
        check_output(&optimized, labels)?;
        let runnable = optimized.into_runnable().map_err(unsupported)?;
        let plan = describe(&runnable).map_err(unsupported)?;
        let state = runnable.spawn().map_err(unsupported)?;
        let input = Tensor::zero::<f32>(&[1, window.frames(), MEL_BANDS]).map_err(unsupported)?;
        Ok(Self { window, state, plan, input: Arc::new(input) })
    }

    /// How long a window its input is.
    pub(super) fn window(&self) -> WindowLength {
        self.window
    }

    /// The optimized plan in the order of execution.
    pub(super) fn plan(&self) -> &[PlannedNode] {
        &self.plan
    }

    /// Runs the graph: `fill` writes the window, frame by frame, in octaves; `read` takes the logits.
    pub(super) fn run<T>(
        &mut self,
        fill: impl FnOnce(&mut [f32]),
        read: impl FnOnce(&[f32]) -> T,
    ) -> TractResult<T> {
        // tract has dropped its reference to the input since the last run, so this copies nothing.
        let input = Arc::make_mut(&mut self.input);
        fill(input.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?);
        let outputs = self.state.run(tvec!(TValue::from_const(self.input.clone())))?;
        Ok(read(outputs[0].try_as_plain_ram()?.as_slice::<f32>()?))
    }
}

/// Optimizes a graph. tract panics on some malformed graphs (an axis beyond the rank, an output of a scan's body that
/// no node gives); that is a fault of the graph, not of the program.
fn optimize_guarded(framework: &tract_onnx::Onnx, proto: &ModelProto) -> Result<TypedModel, GraphError> {
    let attempt = AssertUnwindSafe(|| optimize(framework, proto));
    let panicked = |payload: Box<dyn Any + Send>| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("for no stated reason");
        GraphError::Unsupported { cause: format!("tract panicked: {text}") }
    };
    catch_unwind(attempt).map_err(panicked)?.map_err(unsupported)
}

fn optimize(framework: &tract_onnx::Onnx, proto: &ModelProto) -> TractResult<TypedModel> {
    let mut model = framework.model_for_proto_model(proto)?.into_typed()?;
    start_scans_anew(&mut model);
    model.into_optimized()
}

/// Makes every scan start from its initial state in every run, as ONNX says. As imported, tract's scans continue
/// where the last run ended as long as the same session runs: right for its own streaming, wrong for windows.
fn start_scans_anew(model: &mut TypedModel) {
    for node in model.nodes_mut() {
        if let Some(scan) = node.op_as_mut::<Scan>() {
            scan.reset_every_turn = true;
            start_scans_anew(&mut scan.body);
        }
    }
}

fn unsupported(error: TractError) -> GraphError {
    GraphError::Unsupported { cause: format!("{error:#}") }
}

/// Checks names, types and shapes of inputs and outputs as the file states them; returns the input's window. tract would
/// panic on an output that no node gives, so that is checked here too.
fn check_interface(
    proto: &ModelProto,
    window: Option<WindowLength>,
    labels: usize,
) -> Result<WindowLength, GraphError> {
    let no_graph = || GraphError::NotOnnx { cause: "there is no graph in it".to_owned() };
    let graph = proto.graph.as_ref().ok_or_else(no_graph)?;
    let stored = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let inputs: Vec<_> = graph.input.iter().filter(|input| !stored(&input.name)).map(signature).collect();
    let window = check_input(inputs, window)?;
    let outputs = graph.output.iter().map(signature).collect();
    require("output", outputs, format!("{OUTPUT} F32 [1, {labels}]"))?;
    if !gives(graph, OUTPUT) {
        require("output", vec![format!("{OUTPUT}, which no node gives")], "a node's output".to_owned())?;
    }
    Ok(window)
}

fn check_input(found: Vec<String>, window: Option<WindowLength>) -> Result<WindowLength, GraphError> {
    let of = |window: WindowLength| format!("{INPUT} F32 [1, {}, {MEL_BANDS}]", window.frames());
    if let Some(window) = window {
        return require("input", found, of(window)).map(|()| window);
    }
    let mut lengths = (1..=MAX_STEPS).filter_map(WindowLength::of_steps);
    let any = lengths.find(|window| found == [of(*window)]);
    any.ok_or_else(|| {
        let frames = format!("{FRAMES_PER_STEP} · steps + {RECEPTIVE_MARGIN}");
        let required = format!("{INPUT} F32 [1, {frames}, {MEL_BANDS}], 1 to {MAX_STEPS} steps");
        interface("input", found, required)
    })
}

fn interface(field: &'static str, found: Vec<String>, required: String) -> GraphError {
    let found = if found.is_empty() { "missing".to_owned() } else { found.join(" and ") };
    GraphError::Interface { field, found, required }
}

fn require(field: &'static str, found: Vec<String>, required: String) -> Result<(), GraphError> {
    if found == [required.as_str()] {
        return Ok(());
    }
    Err(interface(field, found, required))
}

fn gives(graph: &GraphProto, name: &str) -> bool {
    graph.node.iter().flat_map(|node| &node.output).any(|output| output == name)
}

/// Name, element type and shape in the form `log_mel F32 [1, 166, 128]`.
fn signature(value: &ValueInfoProto) -> String {
    let Some(type_proto::Value::TensorType(tensor)) = value.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        return format!("{} without a type", value.name);
    };
    let number = match tensor.elem_type {
        1 => "F32".to_owned(),
        other => format!("of ONNX type {other}"),
    };
    let Some(shape) = &tensor.shape else { return format!("{} {number} without a shape", value.name) };
    let dims: Vec<String> = shape
        .dim
        .iter()
        .map(|dim| match &dim.value {
            Some(dimension::Value::DimValue(size)) => size.to_string(),
            Some(dimension::Value::DimParam(name)) => name.clone(),
            None => "?".to_owned(),
        })
        .collect();
    format!("{} {number} [{}]", value.name, dims.join(", "))
}

/// Checks the output that tract derives from the nodes, whatever the file states.
fn check_output(model: &TypedModel, labels: usize) -> Result<(), GraphError> {
    let fact = model.output_fact(0).map_err(unsupported)?;
    let found = format!("{OUTPUT} {}", describe_fact(fact));
    require("computed output", vec![found], format!("{OUTPUT} F32 [1, {labels}]"))
}

/// Element type and shape in the form `F32 [1, 10]`.
fn describe_fact(fact: &TypedFact) -> String {
    let dims: Vec<String> = fact.shape.iter().map(ToString::to_string).collect();
    format!("{:?} [{}]", fact.datum_type.unquantized(), dims.join(", "))
}

/// The plan of a graph, its scans' bodies included.
fn describe(runnable: &TypedSimplePlan) -> TractResult<Vec<PlannedNode>> {
    let mut nodes = vec![];
    let model = runnable.model();
    let last = last_products(runnable)?;
    for id in runnable.order_without_consts() {
        let node = model.node(*id);
        let role = if last.contains(id) { Role::Head } else { Role::Layer };
        nodes.push(describe_node(model, node, String::new(), |_| role)?);
        if let Some(scan) = node.op_as::<OptScan>() {
            describe_body(&node.name, scan, &mut nodes)?;
        }
    }
    Ok(nodes)
}

/// The nodes of a scan's body. A product is the recurrence if it is as deep as the scan's state is wide; anything
/// else that multiplies in there is a layer that was pulled in.
fn describe_body(name: &str, scan: &OptScan, nodes: &mut Vec<PlannedNode>) -> TractResult<()> {
    let body = scan.plan.model();
    let mut widths = vec![];
    for (index, mapping) in scan.input_mapping.iter().enumerate() {
        if matches!(mapping, InputMapping::State) {
            widths.extend(body.input_fact(index)?.shape.last().cloned());
        }
    }
    for id in scan.plan.order_without_consts() {
        let node = body.node(*id);
        let role = |depth: Option<&TDim>| match depth {
            Some(depth) if widths.contains(depth) => Role::Recurrence,
            _ => Role::Layer,
        };
        nodes.push(describe_node(body, node, format!("{name}/"), role)?);
        if let Some(inner) = node.op_as::<OptScan>() {
            describe_body(&format!("{name}/{}", node.name), inner, nodes)?;
        }
    }
    Ok(())
}

fn describe_node(
    model: &TypedModel,
    node: &TypedNode,
    prefix: String,
    role: impl Fn(Option<&TDim>) -> Role,
) -> TractResult<PlannedNode> {
    Ok(PlannedNode {
        name: prefix + &node.name,
        fed_by: node.inputs.first().map(|input| model.node(input.node).name.clone()),
        op: node.op().name().into_owned(),
        output: describe_fact(&node.outputs[0].fact),
        product: describe_product(model, node, role)?,
    })
}

/// The products that nothing that multiplies comes after.
fn last_products(runnable: &TypedSimplePlan) -> TractResult<Vec<usize>> {
    let model = runnable.model();
    let mut last = vec![];
    let mut feeds_product = vec![false; model.nodes().len()];
    for id in runnable.order_without_consts().iter().rev() {
        let node = model.node(*id);
        let multiplies = node.op_is::<OptScan>() || multiply_adds(model, node)?.is_some();
        if multiplies && !feeds_product[*id] {
            last.push(*id);
        }
        if multiplies || feeds_product[*id] {
            for input in &node.inputs {
                feeds_product[input.node] = true;
            }
        }
    }
    Ok(last)
}

/// Multiply-adds of a node and their type, or `None` for nodes that only move data or work element by element.
fn multiply_adds(model: &TypedModel, node: &TypedNode) -> TractResult<Option<(DatumType, u64)>> {
    let element_by_element = node.op_is::<ElementWiseOp>()
        || node.op_is::<TypedBinOp>()
        || node.op_is::<OptBinByScalar>()
        || node.op_is::<OptBinUnicast>()
        || node.op_is::<OptBinChain>()
        || node.op_is::<Reduce>();
    if element_by_element {
        return Ok(None);
    }
    let costs = node.op.cost(&model.node_input_facts(node.id)?)?;
    Ok(costs.into_iter().find_map(|(cost, count)| match cost {
        Cost::FMA(number) => Some((number, count.to_i64().ok()?.unsigned_abs())),
        _ => None,
    }))
}

fn describe_product(
    model: &TypedModel,
    node: &TypedNode,
    role: impl Fn(Option<&TDim>) -> Role,
) -> TractResult<Option<Product>> {
    let Some((number, multiply_adds)) = multiply_adds(model, node)? else { return Ok(None) };
    let Some(product) = node.op_as::<OptMatMul>() else {
        let shown = format!("{number:?}");
        return Ok(Some(Product {
            operands: (shown.clone(), shown.clone()),
            sums: shown,
            integer: false,
            multiply_adds,
            kernel: None,
            role: role(None),
        }));
    };
    let kernel = &product.mmm[0];
    let sums = kernel.internal_type();
    // Every mode's kernel counts: which of them runs depends on the shape.
    let mut operands = vec![];
    for micro_op in &product.micro_ops {
        let ProtoFusedSpec::AddMatMul { packings, .. } = micro_op else { continue };
        for (kernel, (packing, _)) in product.mmm.iter().zip(packings) {
            let (a, b) = &kernel.packings()[*packing];
            operands.push((element(&**a), element(&**b)));
        }
    }
    let i8s = (Some(DatumType::I8), Some(DatumType::I8));
    let integer = sums == DatumType::I32 && !operands.is_empty() && operands.iter().all(|pair| *pair == i8s);
    let shown = |number: Option<DatumType>| number.map_or_else(|| "blocks".to_owned(), |n| format!("{n:?}"));
    let worst = operands.into_iter().find(|pair| *pair != i8s).unwrap_or(i8s);
    Ok(Some(Product {
        operands: (shown(worst.0), shown(worst.1)),
        sums: format!("{sums:?}"),
        integer,
        multiply_adds,
        kernel: Some(kernel.name().to_owned()),
        role: role(product.guess_k().as_ref()),
    }))
}

/// The element type of a packed operand.
fn element(format: &dyn MMMInputFormat) -> Option<DatumType> {
    format.precursor().as_dt()
}
