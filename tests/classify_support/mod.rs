//! Small ONNX graphs of the streaming contract and packages around them, made inside the tests.
#![allow(dead_code, reason = "each test file uses the part it needs")]

pub(crate) mod graphs; // graphs of the contract
pub(crate) mod onnx; // writes ONNX files
pub(crate) mod packages; // packages in temporary folders
