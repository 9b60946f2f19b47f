//! What tract is going to compute, and the proof that the costly part of it runs on integers.
//!
//! Plain data: nothing here knows tract. tract runs a graph that it cannot keep on integers silently in floating
//! point; on a small processor that is the difference between listening and lagging, so an int8 graph is only
//! accepted with this proof.

use core::fmt;

/// One node of the optimized plan, in the order of execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedNode {
    /// The node's name; for nodes inside a scan, the scan's name and theirs.
    pub name: String,
    /// The node that gives the first input. tract names a fused node after its last part, so this helps to find it.
    pub fed_by: Option<String>,
    /// tract's name of the operator.
    pub op: String,
    /// Element type and shape of the first output.
    pub output: String,
    /// The sums of products that the node computes, if that is what it does.
    pub product: Option<Product>,
}

/// Sums of products: a convolution or a matrix product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Element type of the operands as the kernel reads them: weights, then activations.
    pub operands: (String, String),
    /// Element type of the sums.
    pub sums: String,
    /// Whether both operands are 8-bit and the sums 32-bit integers.
    pub integer: bool,
    /// Multiply-adds for one execution of the node.
    pub multiply_adds: u64,
    /// The kernel, where tract names one.
    pub kernel: Option<String>,
    /// What the product is for.
    pub role: Role,
}

/// What a product is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A convolution, or the projection of the LSTM's input: what has to run on integers.
    Layer,
    /// Inside a scan, as wide as the scan's state: the LSTM's recurrence, small and in floating point on purpose.
    Recurrence,
    /// No product comes after it: the dense layer that gives the logits, small and in floating point on purpose.
    Head,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (a, b) = &self.operands;
        write!(f, "{a} x {b} -> {}", self.sums)?;
        match &self.kernel {
            Some(kernel) => write!(f, " by {kernel}"),
            None => Ok(()),
        }
    }
}

/// Why a plan is not proved to run on integers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotInteger {
    /// A convolution or projection computes with something else than 8-bit operands and 32-bit sums.
    Node {
        /// The node's name.
        name: String,
        /// The node that gives its first input.
        fed_by: Option<String>,
        /// What it computes with.
        found: String,
    },
    /// The plan has no product that could have been proved.
    NoLayers,
}

impl fmt::Display for NotInteger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { name, fed_by, found } => {
                write!(f, "node {name}")?;
                if let Some(source) = fed_by {
                    write!(f, " (fed by {source})")?;
                }
                write!(f, " computes {found} where I8 x I8 -> I32 is required")
            }
            Self::NoLayers => f.write_str("the plan has no convolution and no projection"),
        }
    }
}

impl core::error::Error for NotInteger {}

/// Proves that every convolution and the projection of the LSTM's input run on integers.
///
/// # Errors
/// The first node that doesn't.
pub fn prove_integer(plan: &[PlannedNode]) -> Result<(), NotInteger> {
    let mut proved = false;
    for node in plan {
        let Some(product) = node.product.as_ref().filter(|product| product.role == Role::Layer) else {
            continue;
        };
        if !product.integer {
            let (name, fed_by) = (node.name.clone(), node.fed_by.clone());
            return Err(NotInteger::Node { name, fed_by, found: product.to_string() });
        }
        proved = true;
    }
    if proved { Ok(()) } else { Err(NotInteger::NoLayers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, number: &str, sums: &str, role: Role) -> PlannedNode {
        PlannedNode {
            name: name.into(),
            fed_by: Some("pool1".into()),
            op: "OptMatMul".into(),
            output: String::new(),
            product: Some(Product {
                operands: (number.into(), number.into()),
                sums: sums.into(),
                integer: number == "I8" && sums == "I32",
                multiply_adds: 1,
                kernel: Some("generic".into()),
                role,
            }),
        }
    }

    #[test]
    fn recurrence_and_head_may_be_float() {
        let plan = [
            node("conv", "I8", "I32", Role::Layer),
            node("scan/step", "F32", "F32", Role::Recurrence),
            node("dense", "F32", "F32", Role::Head),
        ];
        assert_eq!(prove_integer(&plan), Ok(()));
    }

    #[test]
    fn a_float_layer_is_named() {
        let plan = [node("conv1", "I8", "I32", Role::Layer), node("conv2", "F32", "F32", Role::Layer)];
        let error = prove_integer(&plan).unwrap_err();
        assert_eq!(
            error.to_string(),
            "node conv2 (fed by pool1) computes F32 x F32 -> F32 by generic where I8 x I8 -> I32 is required"
        );
    }

    #[test]
    fn nothing_proves_nothing() {
        assert_eq!(prove_integer(&[]), Err(NotInteger::NoLayers));
        assert_eq!(prove_integer(&[node("dense", "F32", "F32", Role::Head)]), Err(NotInteger::NoLayers));
    }
}
