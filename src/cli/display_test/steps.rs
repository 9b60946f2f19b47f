//! What a display test shows, one after the other.

use harmonynet::display::leds::Brightness;
use harmonynet::flow::{Fault, Label, Labels, Level, Scene, State};

/// One thing to show.
pub(super) struct Step {
    /// What it is.
    pub(super) name: String,
    pub(super) scene: Scene,
    pub(super) brightness: Brightness,
}

/// Every state: silence, listening, unsure, every genre, confidences, levels, faults and brightnesses.
pub(super) fn steps(labels: &Labels, day: Brightness) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |name: String, state, label: &str, dbfs, window_fill, brightness| {
        let label = Label::try_from(label).unwrap_or_default();
        let level = Level::from_dbfs(dbfs);
        steps.push(Step { name, scene: Scene { at: 0, state, label, level, window_fill }, brightness });
    };
    let (loud, quiet) = (-12.0, -72.0);
    let first = labels.first().map(|label| label.as_str()).unwrap_or_default();
    let genre = |label, confidence| State::Genre { label, confidence };
    add("silence".into(), State::Silence, "", quiet, 0.0, day);
    for fill in [0.0, 0.5, 1.0] {
        add(format!("listening, window {:.0} %", 100.0 * fill), State::Listening, "", loud, fill, day);
    }
    add(format!("unsure, {first} 34 %"), State::Unsure { label: 0, confidence: 0.34 }, first, loud, 1.0, day);
    for (label, text) in (0..).zip(labels) {
        add(format!("genre {text}"), genre(label, 0.8), text, loud, 1.0, day);
    }
    for confidence in [0.25, 0.5, 0.75, 1.0] {
        let name = format!("confidence {:.0} %", 100.0 * confidence);
        add(name, genre(0, confidence), first, loud, 1.0, day);
    }
    for dbfs in [-60.0, -48.0, -36.0, -24.0, -12.0, -3.0, 0.0] {
        add(format!("level {dbfs:.0} dBFS"), genre(0, 0.8), first, dbfs, 1.0, day);
    }
    for fault in Fault::ALL {
        add(format!("fault: {fault}"), State::Fault { fault }, "", -144.0, 0.0, day);
    }
    for percent in [100, 50, 10, 1, 0] {
        let name = if percent == 0 { "dark".into() } else { format!("brightness {percent} %") };
        add(name, genre(0, 0.8), first, loud, 1.0, Brightness(percent));
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use super::*;

    #[test]
    fn every_state_genre_and_fault_is_among_the_steps() {
        let labels: Labels =
            ["blues", "jazz", "rock"].map(|text| Label::try_from(text).unwrap()).into_iter().collect();
        let steps = steps(&labels, Brightness(20));
        let has = |wanted: &dyn Fn(&Step) -> bool| steps.iter().any(wanted);
        for label in &labels {
            assert!(has(
                &|step| step.scene.label == *label && matches!(step.scene.state, State::Genre { .. })
            ));
        }
        for fault in Fault::ALL {
            assert!(has(&|step| step.scene.state == State::Fault { fault }));
        }
        for state in [State::Silence, State::Listening, State::Unsure { label: 0, confidence: 0.0 }] {
            assert!(has(&|step| discriminant(&step.scene.state) == discriminant(&state)));
        }
        assert!(
            has(&|step| step.brightness == Brightness::OFF) && has(&|step| step.brightness == Brightness(20))
        );
        let names: std::collections::HashSet<_> = steps.iter().map(|step| &step.name).collect();
        assert_eq!(names.len(), steps.len());
    }
}
