//! The page of a device with faults and with labels that are markup, in a real browser; strangers.py beside this does the looking.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use harmonynet::flow::{Fault, Labels, Level, Scene, Scores, State};
use harmonynet::tell::{Limits, Options, Teller};

/// What would run as markup; no label is longer than 24 bytes.
const LABELS: [&str; 3] = ["<img src=x onerror=q()>", "<script>q()</script>", "&lt;b>\"'`<b>x"];
const FAULTS: [Fault; 2] = [Fault::MicrophoneLost, Fault::Settings];

/// What the device tells next: the scene, and its words for the browser's test.
fn story() -> Vec<(State, &'static str, String)> {
    let genre = |label: u8| {
        let text = LABELS[usize::from(label)];
        (State::Genre { label, confidence: 0.9 }, text, text.to_string())
    };
    let fault = |fault: Fault| {
        let words = format!("{}|{fault}|{}", name(fault), fault.mend());
        (State::Fault { fault }, "", words)
    };
    let mut story: Vec<_> = (0..3).map(genre).collect();
    story.extend(FAULTS.map(fault));
    story.push(genre(0));
    story
}

/// A fault's name, as events have it.
fn name(fault: Fault) -> String {
    serde_json::to_value(fault).unwrap().as_str().unwrap().to_string()
}

#[test]
fn a_browser_shows_faults_with_their_mend_and_hostile_labels_as_text() {
    let _company = super::company();
    let Some(chromium) = super::program::chromium() else {
        eprintln!("skipped: faults and labels in a browser (no Chromium; apt-get install chromium)");
        return;
    };
    let labels: Labels = LABELS.iter().map(|label| (*label).try_into().unwrap()).collect();
    let page = harmonynet::tell::PageOptions { pulse: Duration::from_millis(500), ..super::options() };
    let options = Options { page: Some(page), limits: Limits::default(), ..Options::default() };
    let (mut teller, errors) = Teller::open(&options, &labels);
    assert_eq!(errors, []);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page/strangers.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(chromium).arg(format!("http://{}/", teller.page().unwrap())).args(LABELS);
    let browser = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut browser = match browser {
        Ok(browser) => browser,
        Err(error) => {
            return eprintln!("skipped: faults and labels in a browser ({error}; apt-get install python3)");
        }
    };
    let mut to = browser.stdin.take().unwrap();
    let (send, said) = channel();
    let from = BufReader::new(browser.stdout.take().unwrap());
    std::thread::spawn(move || from.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));

    let mut at = 0;
    let mut story = story().into_iter();
    let mut now = None;
    // Verdicts go on while the browser looks.
    let last = loop {
        match said.recv_timeout(Duration::from_millis(200)) {
            Ok(line) if line == "ready" => {
                let (state, label, words) = story.next().unwrap();
                writeln!(to, "{words}").unwrap();
                now = Some((state, label));
            }
            Ok(line) => break Some(line),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break None,
        }
        if let Some((state, label)) = now {
            at += 4096;
            if let State::Genre { .. } = state {
                teller.scores(&Scores { end: at, probabilities: [0.9, 0.06, 0.04].into_iter().collect() });
            }
            let label = label.try_into().unwrap();
            teller.verdict(&Scene { at, state, label, level: Level::from_dbfs(-20.0), window_fill: 1.0 });
        }
    };
    assert_eq!((last.as_deref(), story.next()), (Some("good"), None));
    assert!(browser.wait().unwrap().success());
}
