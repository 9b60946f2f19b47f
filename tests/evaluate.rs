//! `harmonynet evaluate` as its users meet it, on self-made sound.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harmonynet::capture::demo::{Piece, render};
use serde_json::{Value, json};

/// Three self-made pieces in `music`, the same 12 dB quieter in `quieter`, and a table.
struct Collection {
    folder: tempfile::TempDir,
}

/// Seconds of each track: three windows.
const SECONDS: usize = 9;

impl Collection {
    fn new() -> Self {
        let collection = Self { folder: tempfile::tempdir().unwrap() };
        for (genre, piece) in
            [("classical", Piece::Classical), ("disco", Piece::Disco), ("metal", Piece::Metal)]
        {
            let samples: Vec<i32> = render(piece, 22_050).take(22_050 * SECONDS).collect();
            write_wav(&collection.path(&format!("music/{genre}/{genre}.wav")), &samples);
            let quieter: Vec<i32> = samples.iter().map(|sample| sample / 4).collect();
            write_wav(&collection.path(&format!("quieter/{genre}.wav")), &quieter);
        }
        let table = "track,genre,part\nclassical,classical,test\ndisco,disco,test\nmetal,metal,train\n";
        std::fs::write(collection.path("table.csv"), table).unwrap();
        collection
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Evaluates the collection's part `test`, with more options.
    fn evaluate(&self, options: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harmonynet"));
        command
            .arg("evaluate")
            .arg("--audio")
            .arg(self.path("music"))
            .arg("--split")
            .arg(self.path("table.csv"));
        command.args(["--split-column", "part", "--part", "test"]).args(options);
        command.env_remove("HARMONYNET_MODEL").output().unwrap()
    }

    /// The record of an evaluation.
    fn record(&self, options: &[&str]) -> Value {
        let output = self.evaluate(&[options, &["--json", "-"]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A 16-bit mono WAV file of 22,050 Hz.
fn write_wav(path: &Path, samples: &[i32]) {
    let data: Vec<u8> = samples.iter().flat_map(|sample| ((sample >> 16) as i16).to_le_bytes()).collect();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + data.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(22_050_u32.to_le_bytes());
    wav.extend(44_100_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, wav).unwrap();
}

#[test]
fn the_record_holds_aggregates_that_fit_together_and_no_track() {
    let collection = Collection::new();
    let record = collection.record(&["--compare", "float", "--compare", "native", "--compare", "int8"]);
    assert_eq!((&record["data"]["tracks"], &record["data"]["excerpts"]), (&json!(2), &json!(6)));
    assert_eq!((&record["data"]["part"], &record["data"]["audio"]), (&json!("test"), &json!("music")));
    assert_eq!(record["package"]["name"], "harmonynet");
    assert_eq!(record["package"]["sha256"].as_str().unwrap().len(), 64);
    for by in ["excerpt", "track"] {
        let figures = &record[by];
        let confusion: Vec<Vec<u64>> = serde_json::from_value(figures["confusion"].clone()).unwrap();
        let total: u64 = confusion.iter().flatten().sum();
        let hits: u64 = (0..10).map(|label| confusion[label][label]).sum();
        assert_eq!(figures["accuracy"].as_f64().unwrap(), hits as f64 / total as f64);
        assert_eq!(total, record["data"][format!("{by}s")].as_u64().unwrap());
        assert_eq!(figures["per_label"].as_array().unwrap().len(), 10);
    }
    let hits = record["hits"].as_array().unwrap();
    assert_eq!(hits.iter().map(|row| row[0].as_u64().unwrap() * row[2].as_u64().unwrap()).sum::<u64>(), 6);
    assert_eq!(record["compared"][0]["graph"], "float");
    // What runs where nobody says otherwise is the native engine: it agrees with itself, and has its own file's hash.
    assert_eq!((&record["engine"], &record["package"]["precision"]), (&json!("native"), &json!("int8")));
    assert_eq!(
        record["compared"][1],
        json!({
            "graph": "native",
            "excerpt": record["excerpt"]["accuracy"],
            "track": record["track"]["accuracy"],
            "agreement": 1.0,
        })
    );
    let tract = collection.record(&["--engine", "tract", "--compare", "native-20dB"]);
    assert_eq!((&tract["engine"], &tract["package"]["precision"]), (&json!("tract"), &json!("int8")));
    assert_ne!(tract["package"]["sha256"], record["package"]["sha256"]);
    assert_eq!(tract["excerpt"]["accuracy"], record["compared"][2]["excerpt"]);
    assert_eq!(tract["compared"][0]["graph"], "native-20dB");
    // The labels are in it, tracks and folders are not.
    let text = record.to_string();
    assert!(!text.contains(collection.folder.path().to_str().unwrap()) && !text.contains(".wav"), "{text}");
}

#[test]
fn figures_do_not_depend_on_the_number_of_threads() {
    let collection = Collection::new();
    let options = ["--room", "desk", "--snr", "10", "--against"];
    let quieter = collection.path("quieter");
    let judged =
        |jobs| collection.record(&[&options[..], &[quieter.to_str().unwrap(), "--jobs", jobs]].concat());
    let record = judged("1");
    assert_eq!(record, judged("3"));
    // 12 dB quieter is no other music: the level is tracked.
    assert_eq!(
        (&record["against"][0]["audio"], &record["against"][0]["agreement"]),
        (&json!("quieter"), &json!(1.0))
    );
    let room = &record["rooms"][0];
    assert_eq!(
        (&room["room"], &room["snr_db"], &room["microphone"]),
        (&json!("desk"), &json!(10.0), &json!("MEMS behind a port"))
    );
    let gap = record["track"]["accuracy"].as_f64().unwrap() - room["track"].as_f64().unwrap();
    assert_eq!(room["track_gap"].as_f64().unwrap(), gap);
}

#[test]
fn a_split_by_excerpt_counts_its_excerpts_alone_and_tells_the_leak() {
    let collection = Collection::new();
    let table = "track,excerpt,part\nclassical,0,train\nclassical,1,test\nclassical,2,test\ndisco,0,test\ndisco,1,train\n";
    std::fs::write(collection.path("table.csv"), table).unwrap();
    let record = collection.record(&[]);
    assert_eq!((&record["data"]["excerpts"], &record["data"]["torn"]), (&json!(3), &json!(2)));
    let excerpts: u64 = record["hits"].as_array().unwrap().iter().map(|row| row[0].as_u64().unwrap()).sum();
    assert_eq!(excerpts, 3, "two of one track, one of the other");
    let output = collection.evaluate(&[]);
    let said = std::str::from_utf8(&output.stdout).unwrap();
    assert!(said.contains("excerpts of 2 tracks are in several parts: a leaky split"), "{said}");
}

#[test]
fn tables_and_picture_are_written_beside_the_record() {
    let collection = Collection::new();
    let (json, svg) = (collection.path("record.json"), collection.path("confusion.svg"));
    let output = collection.evaluate(&["--json", json.to_str().unwrap(), "--picture", svg.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = std::str::from_utf8(&output.stdout).unwrap();
    for part in
        ["2 tracks, 6 excerpts", "95 % interval", "by track, %", "said, by excerpt", "calibration error"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let record: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(record["labels"].as_array().unwrap().len(), 10);
    assert!(std::fs::read_to_string(svg).unwrap().starts_with("<svg "));
}

#[test]
fn what_cannot_be_judged_is_named() {
    let collection = Collection::new();
    let refused = |options: &[&str], words: &str| {
        let output = collection.evaluate(options);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    };
    refused(
        &["--against", collection.path("music/disco").to_str().unwrap()],
        "no recording of 1 tracks: classical",
    );
    std::fs::write(collection.path("table.csv"), "track,genre,part\ndisco,polka,test\n").unwrap();
    refused(&[], "table.csv:2: track disco: its genre `polka` is no label of the model (blues, classical,");
    std::fs::write(collection.path("table.csv"), "track,excerpt,part\ndisco,7,test\n").unwrap();
    refused(&[], "disco.wav: it has 3 excerpts, but the table counts its excerpt 7");
}

#[test]
fn sounds_that_are_no_music_are_counted_by_kind() {
    let collection = Collection::new();
    let output = Command::new(env!("CARGO_BIN_EXE_harmonynet"))
        .args(["evaluate", "--json", "-", "--not-music"])
        .arg(collection.path("quieter"))
        .env_remove("HARMONYNET_MODEL")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    let not_music = &record["not_music"];
    let kinds = not_music["kinds"].as_array().unwrap();
    let names: Vec<_> = kinds.iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(names, ["silence", "white noise", "pink noise", "hum", "tone", "speech"]);
    assert_eq!((&kinds[0]["windows"], &kinds[0]["shown"]), (&json!(24), &json!(0)), "silence is silence");
    // Three recordings of three windows, at two levels.
    assert_eq!(kinds[5]["windows"], 18);
    assert_eq!(kinds.iter().map(|kind| kind["windows"].as_u64().unwrap()).sum::<u64>(), not_music["windows"]);
    assert!(not_music["speech"].as_str().unwrap().starts_with("3 recordings"), "{not_music}");
    assert!(record.get("data").is_none(), "no collection was judged");
}

#[test]
fn without_a_voice_the_rest_is_judged_and_the_mend_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_harmonynet"))
        .args(["evaluate", "--not-music"])
        .env_remove("HARMONYNET_MODEL")
        .env("PATH", empty.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = std::str::from_utf8(&output.stdout).unwrap();
    assert!(said.contains("apt-get install espeak-ng") && said.contains("in total"), "{said}");
}
