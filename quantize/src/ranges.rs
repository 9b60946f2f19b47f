//! Ranges that a quantization-aware training has settled on, in place of those that calibration would choose.
//!
//! ```json
//! {
//!   "input":      { "activations": 15.875 },
//!   "conv1":      { "weights": 0.47, "activations": 11.6 },
//!   "projection": { "weights": [0.31, 0.28] }
//! }
//! ```
//! Layers have the names of the report; every tensor must be there and nothing else. A range is the largest magnitude
//! that is represented, 127 steps of the scale: weights with batch norm folded in, activations behind ReLU and pooling.
//! The projection has a range per row.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::network::Network;
use crate::scale::LEVELS;

/// The scales that a file of ranges states, of a network with these layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranges {
    /// Scale of the input.
    pub input: f32,
    /// Per convolution: scales of its weights and of its outputs.
    pub convs: Vec<(f32, f32)>,
    /// Scale of each row of the projection's weights.
    pub projection: Vec<f32>,
}

/// What is wrong with a file of ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RangesError {
    /// It has another form than it must.
    Malformed {
        /// What the parser says.
        reason: String,
    },
    /// A tensor of the network has no range.
    Missing {
        /// Layer and kind.
        tensor: String,
    },
    /// A range belongs to no tensor of the network.
    Unknown {
        /// Layer and kind.
        tensor: String,
    },
    /// A range is no positive number, or not one per row.
    Value {
        /// Layer and kind.
        tensor: String,
        /// What is there.
        found: String,
        /// What must be.
        wanted: String,
    },
}

impl std::fmt::Display for RangesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed { reason } => write!(f, "no file of ranges: {reason}"),
            Self::Missing { tensor } => write!(f, "{tensor} is missing; every tensor needs its range"),
            Self::Unknown { tensor } => write!(f, "{tensor} is no tensor of this network"),
            Self::Value { tensor, found, wanted } => write!(f, "{tensor} is {found}; wanted {wanted}"),
        }
    }
}

impl std::error::Error for RangesError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    weights: Option<Stated>,
    activations: Option<Stated>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stated {
    One(f64),
    Each(Vec<f64>),
}

/// Takes the ranges out of a file one by one, so that what is left is unknown.
struct File(BTreeMap<String, Stated>);

impl Ranges {
    /// Reads a file's text for a network.
    ///
    /// # Errors
    /// The tensor that is missing, unknown or has a wrong value.
    pub fn parse(text: &[u8], network: &Network) -> Result<Self, RangesError> {
        let malformed = |error: serde_json::Error| RangesError::Malformed { reason: error.to_string() };
        let layers: BTreeMap<String, Layer> = serde_json::from_slice(text).map_err(malformed)?;
        let tensors = layers.into_iter().flat_map(|(name, layer)| {
            let kinds = [("weights", layer.weights), ("activations", layer.activations)];
            kinds.map(|(kind, stated)| stated.map(|stated| (format!("{name}.{kind}"), stated)))
        });
        let mut file = File(tensors.flatten().collect());
        let input = file.scale("input.activations")?;
        let conv = |name: &str, file: &mut File| {
            Ok((file.scale(&format!("{name}.weights"))?, file.scale(&format!("{name}.activations"))?))
        };
        let convs =
            network.convs.iter().map(|c| conv(&c.name, &mut file)).collect::<Result<_, RangesError>>()?;
        let projection = file.scales("projection.weights", network.projection.bias.len())?;
        match file.0.into_keys().next() {
            Some(tensor) => Err(RangesError::Unknown { tensor }),
            None => Ok(Self { input, convs, projection }),
        }
    }
}

impl File {
    fn take(&mut self, tensor: &str) -> Result<Stated, RangesError> {
        self.0.remove(tensor).ok_or_else(|| RangesError::Missing { tensor: tensor.into() })
    }

    fn scale(&mut self, tensor: &str) -> Result<f32, RangesError> {
        match self.take(tensor)? {
            Stated::One(range) => scale(tensor, range),
            Stated::Each(ranges) => {
                Err(value(tensor, format!("a list of {}", ranges.len()), "one number".into()))
            }
        }
    }

    fn scales(&mut self, tensor: &str, rows: usize) -> Result<Vec<f32>, RangesError> {
        let wanted = format!("a list of {rows} numbers, one per row");
        match self.take(tensor)? {
            Stated::Each(ranges) if ranges.len() == rows => {
                ranges.into_iter().map(|range| scale(tensor, range)).collect()
            }
            Stated::Each(ranges) => Err(value(tensor, format!("a list of {}", ranges.len()), wanted)),
            Stated::One(range) => Err(value(tensor, range.to_string(), wanted)),
        }
    }
}

fn scale(tensor: &str, range: f64) -> Result<f32, RangesError> {
    let scale = (range / f64::from(LEVELS)) as f32;
    // What is no normal f32 could not be divided by.
    if scale.is_normal() && scale > 0.0 {
        Ok(scale)
    } else {
        Err(value(tensor, range.to_string(), "a positive number".into()))
    }
}

fn value(tensor: &str, found: String, wanted: String) -> RangesError {
    RangesError::Value { tensor: tensor.into(), found, wanted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::without_lstm;

    const WHOLE: &str = r#"{"input": {"activations": 15.875}, "conv1": {"weights": 1.27, "activations": 2.54},
        "conv2": {"weights": 12.7, "activations": 25.4}, "projection": {"weights": [1, 2, 3.81]}}"#;

    fn parse(text: &str) -> Result<Ranges, RangesError> {
        Ranges::parse(text.as_bytes(), &without_lstm(1, 22, 8))
    }

    fn refused(from: &str, to: &str) -> String {
        assert!(WHOLE.contains(from));
        parse(&WHOLE.replacen(from, to, 1)).unwrap_err().to_string()
    }

    #[test]
    fn ranges_are_127_steps() {
        let ranges = parse(WHOLE).unwrap();
        assert_eq!(ranges.input, 0.125);
        assert_eq!(ranges.convs, [(0.01, 0.02), (0.1, 0.2)]);
        assert_eq!((ranges.projection.len(), ranges.projection[2]), (3, 0.03));
    }

    #[test]
    fn a_tensor_that_is_missing_unknown_or_no_range_is_named() {
        assert!(refused(r#""weights": 1.27, "#, "").contains("conv1.weights is missing"));
        assert!(refused("conv2", "conv3").contains("conv2.weights is missing"));
        assert!(
            refused(r#""weights": [1"#, r#""activations": 4, "weights": [1"#)
                .contains("projection.activations is no tensor")
        );
        assert!(refused(r#"{"input""#, r#"{"lstm": {"weights": 1}, "input""#).contains("lstm.weights is no"));
        for wrong in ["0", "-1", "1e-60"] {
            let text = refused("2.54", wrong);
            assert!(text.contains("conv1.activations is") && text.contains("a positive number"), "{text}");
        }
        assert!(refused("12.7", "[12.7]").contains("conv2.weights is a list of 1; wanted one number"));
        assert!(refused("[1, 2, 3.81]", "[1, 2]").contains("a list of 2; wanted a list of 3"));
        assert!(refused("[1, 2, 3.81]", "4").contains("projection.weights is 4; wanted a list of 3"));
        assert!(refused(r#""weights": 1.27"#, r#""wheights": 1.27"#).contains("wheights"));
        assert!(parse("[]").unwrap_err().to_string().contains("no file of ranges"));
    }
}
