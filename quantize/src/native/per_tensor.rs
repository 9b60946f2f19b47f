//! The per-tensor network, which the int8 graph runs, in the native engine's form: the same integers and scales, so that
//! both engines can be held against each other layer by layer. Not what ships: a scale per channel is more accurate.

use harmonynet::classify::native::{ConvParts, Parts, RowParts};

use super::{LOG_MEL_STEP, NativeError, UNIT, dense, q16, read_out, scale, words};
use crate::network::Head;
use crate::quantized::{QuantizedConv, QuantizedNetwork};
use crate::recipe::QuantizeError;

/// The native form of a per-tensor network; `frontend` is the front-end's fingerprint. Convolutions and projection keep
/// their integers, recurrence and dense layer become 16 bits wide.
///
/// # Errors
/// What the native engine does not run, or the layer that cannot be brought into its form.
pub fn per_tensor(network: &QuantizedNetwork, frontend: u64) -> Result<Parts, NativeError> {
    let Head::Lstm(lstm) = &network.head else { return Err(NativeError::Kind { what: "it has no LSTM" }) };
    let convs = network.convs.iter().map(convolution).collect::<Result<Vec<_>, _>>()?;
    let wrong = NativeError::Kind { what: "it has not three convolutions" };
    let projection = &network.projection;
    let scales = projection.weight_scales.iter();
    let scales = scales.map(|weight| scale(projection.input_scale * weight * UNIT, "projection"));
    let bias = projection.bias.iter().enumerate().map(|(row, &bias)| q16(bias, "projection", row));
    Ok(Parts {
        frontend,
        steps: network.steps(),
        input_gain: LOG_MEL_STEP / network.input_scale,
        read_out: read_out(lstm),
        convs: convs.try_into().map_err(|_| wrong)?,
        projection: RowParts {
            weights: projection.weights.clone(),
            bias: bias.collect::<Result<_, _>>()?,
            scales: scales.collect::<Result<_, _>>()?,
        },
        recurrence: words(&lstm.recurrence, &[], lstm.hidden, "recurrence")?,
        dense: dense(&lstm.dense, lstm.hidden)?,
    })
}

fn convolution(conv: &QuantizedConv) -> Result<ConvParts, QuantizeError> {
    let step = scale(conv.requantization(), &conv.name)?;
    Ok(ConvParts { weights: conv.weights.clone(), bias: conv.bias.clone(), scales: vec![step; conv.outputs] })
}
