//! stage

pub mod demo; // self-made music
