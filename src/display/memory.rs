//! A simulated display: remembers instead of showing.

use super::{Display, DisplayError};
use crate::flow::Scene;

/// Keeps the last `N` scenes and the last `N` verdicts.
#[derive(Debug, Default)]
pub struct Memory<const N: usize> {
    /// What was shown, the latest in `recent()`.
    pub scenes: heapless::HistoryBuf<Scene, N>,
    /// What was noted as a verdict.
    pub verdicts: heapless::HistoryBuf<Scene, N>,
}

impl<const N: usize> Display for Memory<N> {
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        self.scenes.write(scene.clone());
        Ok(())
    }

    fn verdict(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        self.verdicts.write(scene.clone());
        Ok(())
    }
}
