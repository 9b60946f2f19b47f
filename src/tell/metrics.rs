//! Counts, and their text in the exposition format of Prometheus (version 0.0.4). A dozen numbers of fixed names need no
//! registry, so no library: the grammar is a line per number, and a test holds every line to it.

use core::fmt::{Display, Write as _};
use std::sync::atomic::Ordering;

use super::schema::{Condition, Event, Health, Text, Verdict};
use super::vitals::Vitals;
use crate::flow::Labels;
use crate::spec::{MAX_LABELS, SAMPLE_RATE_HZ};

const STATES: [Condition; 5] =
    [Condition::Listening, Condition::Silence, Condition::Unsure, Condition::Genre, Condition::Fault];

/// What the server counts.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    program: Text<32>,
    labels: Labels,
    /// Verdicts by state.
    states: [u64; STATES.len()],
    /// Verdicts by genre.
    genres: [u64; MAX_LABELS],
    last: Verdict,
    /// Pages that watch, and events that they lost; `None` where there is no page.
    pub(super) page: Option<(usize, u64)>,
    /// Listeners on the event socket.
    pub(super) listeners: u32,
    /// Connections that were refused.
    pub(super) refused: u64,
    /// Events that listeners lost, all together.
    pub(super) lost_events: u64,
}

impl Totals {
    pub(super) fn new(program: Text<32>, labels: Labels) -> Self {
        Self {
            program,
            labels,
            states: [0; STATES.len()],
            genres: [0; MAX_LABELS],
            last: Verdict::default(),
            page: None,
            listeners: 0,
            refused: 0,
            lost_events: 0,
        }
    }

    /// Counts a verdict.
    pub(super) fn count(&mut self, event: &Event) {
        let Event::Verdict(verdict) = event else { return };
        self.states[verdict.state as usize] += 1;
        if verdict.state == Condition::Genre
            && let Some(label) = self.labels.iter().position(|label| Some(label) == verdict.genre.as_ref())
        {
            self.genres[label] += 1;
        }
        self.last = verdict.clone();
    }

    /// The report for listeners.
    pub(super) fn health(&self, vitals: &Vitals) -> Health {
        let health = vitals.health();
        Health {
            at: vitals.at(),
            uptime_s: vitals.uptime().as_secs(),
            verdicts: self.states.iter().sum(),
            heard: health.heard,
            lost: health.lost,
            dropped: health.dropped,
            overruns: health.overruns,
            failures: health.failures,
            queued: health.queued,
            queue: health.queue,
            busy_ms: health.busy.as_millis() as u64,
            listeners: self.listeners,
            refused: self.refused,
            lost_events: self.lost_events,
            passed_over: health.passed_over,
        }
    }

    /// Everything as text.
    pub(super) fn text(&self, vitals: &Vitals) -> String {
        let mut page = Page(String::with_capacity(4096));
        let health = vitals.health();
        let seconds = |samples: u64| samples as f64 / f64::from(SAMPLE_RATE_HZ);
        page.one("info", "gauge", "What runs", &[("program", &self.program)], 1);
        page.plain("uptime_seconds", "gauge", "Time since the start", vitals.uptime().as_secs_f64());
        page.head("verdicts_total", "counter", "Verdicts by state");
        for (state, count) in STATES.iter().zip(self.states) {
            page.value("verdicts_total", &[("state", state.name())], count);
        }
        page.head("genre_verdicts_total", "counter", "Verdicts that named a genre");
        for (label, count) in self.labels.iter().zip(self.genres) {
            page.value("genre_verdicts_total", &[("genre", label)], count);
        }
        page.head("state", "gauge", "1 for the state that holds");
        for state in STATES {
            page.value("state", &[("state", state.name())], u8::from(state == self.last.state));
        }
        let confidence = self.last.confidence.unwrap_or(0.0);
        page.plain(
            "confidence",
            "gauge",
            "Probability of the likeliest label, 0 where there is none",
            confidence,
        );
        page.plain("level_dbfs", "gauge", "Sound level, relative to a full-scale sine", self.last.level_dbfs);
        page.plain("heard_seconds_total", "counter", "Sound heard", seconds(health.heard));
        page.head("lost_seconds_total", "counter", "Sound lost, by whose fault");
        page.value("lost_seconds_total", &[("cause", "microphone")], seconds(health.lost));
        page.value("lost_seconds_total", &[("cause", "inference")], seconds(health.dropped));
        let passed_over = "Verdicts passed over because recognizing was too slow";
        page.plain("passed_over_verdicts_total", "counter", passed_over, health.passed_over);
        page.plain("overruns_total", "counter", "Overruns of the microphone", health.overruns);
        page.plain("microphone_failures_total", "counter", "Times the microphone failed", health.failures);
        page.plain("queue_blocks", "gauge", "Blocks that wait to be recognized", health.queued);
        page.plain("queue_limit_blocks", "gauge", "Blocks that may wait", health.queue);
        page.plain("inference_seconds_total", "counter", "Time recognizing took", health.busy.as_secs_f64());
        page.plain("listeners", "gauge", "Connections on the event socket", self.listeners);
        page.plain("refused_connections_total", "counter", "Connections above the limit", self.refused);
        page.plain("lost_events_total", "counter", "Events that slow listeners lost", self.lost_events);
        if let Some((viewers, lost)) = self.page {
            page.plain("page_viewers", "gauge", "Browsers that watch the page", viewers);
            page.plain("page_lost_events_total", "counter", "Events that slow browsers lost", lost);
        }
        let broker = vitals.broker();
        if broker.wanted.load(Ordering::Relaxed) {
            let connected = u8::from(broker.connected.load(Ordering::Relaxed));
            page.plain("mqtt_connected", "gauge", "1 while the MQTT broker answers", connected);
            let lost = broker.lost.load(Ordering::Relaxed);
            page.plain("mqtt_lost_messages_total", "counter", "Messages that the broker never got", lost);
        }
        page.0
    }
}

/// The text as it grows.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP harmonynet_{name} {help}.\n# TYPE harmonynet_{name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "harmonynet_{name}");
        for (index, (key, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{key}=\"{}\"", if index == 0 { '{' } else { ',' }, Escaped(text));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, labels: &[(&str, &str)], value: impl Display) {
        self.head(name, kind, help);
        self.value(name, labels, value);
    }

    fn plain(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.one(name, kind, help, &[], value);
    }
}

/// A label's value, as the format wants it escaped.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Labels {
        names.iter().map(|name| (*name).try_into().unwrap()).collect()
    }

    fn genre(name: &str) -> Event {
        Event::Verdict(Verdict {
            state: Condition::Genre,
            genre: Some(name.try_into().unwrap()),
            confidence: Some(0.75),
            level_dbfs: -20.5,
            ..Verdict::default()
        })
    }

    /// The value of a line of the format: a name, perhaps labels, a blank, a number.
    fn parse(line: &str) -> (&str, f64) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        assert!(bare.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
        assert!(name == bare || name.ends_with('}'), "{line}");
        (name, value.parse().unwrap())
    }

    #[test]
    fn every_line_is_well_formed_and_each_name_is_described_once() {
        let mut totals = Totals::new("harmonynet 1.0".try_into().unwrap(), labels(&["jazz", "rock"]));
        ["jazz", "jazz", "rock", "polka"].iter().for_each(|name| totals.count(&genre(name)));
        totals.lost_events = 7;
        totals.page = Some((2, 5));
        let vitals = Vitals::new();
        vitals.set_health(crate::flow::Health {
            overruns: 3,
            heard: 44_100,
            passed_over: 8,
            ..Default::default()
        });
        vitals.broker().wanted.store(true, Ordering::Relaxed);
        let text = totals.text(&vitals);
        let mut described = Vec::new();
        let mut values = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(!described.contains(&name) && ["counter", "gauge"].contains(&kind), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                described.push(name);
            } else if !line.starts_with("# HELP ") {
                let (name, value) = parse(line);
                assert_eq!(described.last(), name.split('{').next().as_ref(), "{line}");
                values.push((name, value));
            }
        }
        for (name, expected) in [
            ("harmonynet_verdicts_total{state=\"genre\"}", 4.0),
            ("harmonynet_genre_verdicts_total{genre=\"jazz\"}", 2.0),
            ("harmonynet_state{state=\"genre\"}", 1.0),
            ("harmonynet_state{state=\"fault\"}", 0.0),
            ("harmonynet_confidence", 0.75),
            ("harmonynet_level_dbfs", -20.5),
            ("harmonynet_heard_seconds_total", 2.0),
            ("harmonynet_overruns_total", 3.0),
            ("harmonynet_passed_over_verdicts_total", 8.0),
            ("harmonynet_lost_events_total", 7.0),
            ("harmonynet_page_viewers", 2.0),
            ("harmonynet_page_lost_events_total", 5.0),
            ("harmonynet_mqtt_connected", 0.0),
        ] {
            assert!(values.contains(&(name, expected)), "{name} {expected}: {text}");
        }
    }

    #[test]
    fn labels_cannot_break_the_text() {
        let mut totals = Totals::new(Text::new(), labels(&["a\"b\\c\nd"]));
        totals.count(&genre("a\"b\\c\nd"));
        let text = totals.text(&Vitals::new());
        assert!(text.contains("harmonynet_genre_verdicts_total{genre=\"a\\\"b\\\\c\\nd\"} 1\n"), "{text}");
    }
}
