//! One node's inputs and attributes against what the contract wants of them.

use super::ReadError;
use crate::layout::Layout;
use crate::onnx::{Attribute, Node};

/// Channels, frames and bands of `[1, channels, frames, bands]` in its order.
pub(super) fn image(node: &Node, layout: &Layout, channels: usize) -> Result<[usize; 3], ReadError> {
    match layout.shape[..] {
        [1, found, frames, bands] if found == channels && layout.untouched() => Ok([channels, frames, bands]),
        _ => Err(shape(&node.name, &layout.shape, format!("an input [1, {channels}, frames, bands]"))),
    }
}

pub(super) fn has(node: &Node, index: usize) -> bool {
    node.inputs.get(index).is_some_and(|name| !name.is_empty())
}

pub(super) fn input(node: &Node, input: usize, wanted: &'static str) -> ReadError {
    ReadError::Input { node: node.name.clone(), input, wanted }
}

pub(super) fn ints(
    node: &Node,
    name: &'static str,
    wanted: &[i64],
    default: bool,
    allowed: &'static str,
) -> Result<(), ReadError> {
    match node.attributes.get(name) {
        Some(Attribute::Ints(found)) if found == wanted => Ok(()),
        None if default => Ok(()),
        _ => Err(ReadError::Attribute { node: node.name.clone(), attribute: name, allowed }),
    }
}

pub(super) fn int(
    node: &Node,
    name: &'static str,
    wanted: i64,
    default: i64,
    allowed: &'static str,
) -> Result<(), ReadError> {
    match node.attributes.get(name) {
        Some(Attribute::Int(found)) if *found == wanted => Ok(()),
        None if default == wanted => Ok(()),
        _ => Err(ReadError::Attribute { node: node.name.clone(), attribute: name, allowed }),
    }
}

pub(super) fn text(node: &Node, name: &'static str, wanted: &'static str) -> Result<(), ReadError> {
    match node.attributes.get(name) {
        None => Ok(()),
        Some(Attribute::Text(found)) if found == wanted => Ok(()),
        _ => Err(ReadError::Attribute { node: node.name.clone(), attribute: name, allowed: wanted }),
    }
}

pub(super) fn shape(what: &str, found: &[usize], wanted: String) -> ReadError {
    ReadError::Shape { what: what.into(), found: found.into(), wanted }
}
