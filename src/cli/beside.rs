//! A display beside the one that counts: what becomes of it is told and has no say in whether listening goes on.
//!
//! Not for a display that is the only one: who can't be shown anything must be told by the program's end.

use std::sync::mpsc::Sender;

use harmonynet::display::{Display, DisplayError};
use harmonynet::flow::Scene;

/// Keeps a display's errors from its owner. What fails is tried again with the next scene: a disk that is full gets room again.
#[derive(Debug)]
pub(crate) struct Beside<D> {
    display: D,
    failed: bool,
    notes: Sender<String>,
}

impl<D: Display> Beside<D> {
    /// Text on standard output; `notes` hears once that it can't be written, and once that it can again.
    pub(crate) fn new(display: D, notes: Sender<String>) -> Self {
        Self { display, failed: false, notes }
    }

    fn judge(&mut self, result: Result<(), DisplayError>) {
        let failed = result.is_err();
        let changed = failed != std::mem::replace(&mut self.failed, failed);
        let text = match result {
            // Whoever read it has seen enough.
            Err(DisplayError::Closed) => return,
            Err(error) => format!("standard output cannot be written; {} The display goes on", error.mend()),
            Ok(()) => "standard output can be written again".into(),
        };
        if changed {
            // Who was to be told may be gone: then the program ends.
            let _ = self.notes.send(text);
        }
    }
}

impl<D: Display> Display for Beside<D> {
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        if let Err(error) = self.display.show(scene) {
            self.judge(Err(error));
        }
        Ok(())
    }

    fn verdict(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let result = self.display.verdict(scene);
        self.judge(result);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Answers its verdicts one after the other.
    struct Scripted(Vec<Result<(), DisplayError>>);

    impl Display for Scripted {
        fn show(&mut self, _: &Scene) -> Result<(), DisplayError> {
            Ok(())
        }

        fn verdict(&mut self, _: &Scene) -> Result<(), DisplayError> {
            self.0.remove(0)
        }
    }

    #[test]
    fn what_fails_is_told_once_and_never_ends_anything() {
        let full = Err(DisplayError::Write);
        let (tell, notes) = channel();
        let closed = Err(DisplayError::Closed);
        let script = vec![Ok(()), full, full, Ok(()), Ok(()), full, closed];
        let count = script.len();
        let mut beside = Beside::new(Scripted(script), tell);
        for _ in 0..count {
            assert_eq!(beside.verdict(&Scene::default()), Ok(()));
            assert_eq!(beside.show(&Scene::default()), Ok(()));
        }
        let told: Vec<bool> = notes.try_iter().map(|note| note.contains("goes on")).collect();
        assert_eq!(told, [true, false, true]);
    }
}
