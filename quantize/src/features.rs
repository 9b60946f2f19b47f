//! Log-mel frames that `harmonynet features` wrote, and who belongs to which part of a split.
//!
//! ```text
//! DIR/frontend.json          {"fingerprint": "…", "spec": {…}}
//! DIR/<label>/<track>.npy    i16 [frames, 128], Q8.8 octaves
//! split.csv                  track,genre,<column of parts>,…
//! ```

use std::path::{Path, PathBuf};

pub use harmonynet::pipeline::recording::RECORDING_PERIOD_FRAMES as WINDOW_HOP;
use harmonynet::spec::{FrontendSpec, MEL_BANDS, WINDOW_FRAMES};

/// Values of one window.
pub const WINDOW_VALUES: usize = WINDOW_FRAMES * MEL_BANDS;

/// Why features cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeatureError {
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file has another form than it must.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The features come from another front-end.
    Frontend {
        /// The description of the front-end that wrote them.
        path: PathBuf,
        /// The field that differs.
        field: &'static str,
    },
    /// The split has no such column.
    Column {
        /// The split.
        path: PathBuf,
        /// The column.
        column: String,
        /// Columns that it has.
        available: String,
    },
    /// A track's label is none of the model's.
    Label {
        /// The track.
        track: String,
        /// Its label.
        label: String,
    },
    /// No track of this part gives a window.
    Empty {
        /// The part.
        part: String,
    },
}

impl std::fmt::Display for FeatureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Malformed { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Frontend { path, field } => write!(
                f,
                "{}: written by another front-end, {field} differs; write the features again with `harmonynet features`",
                path.display()
            ),
            Self::Column { path, column, available } => {
                write!(f, "{}: there is no column {column}; there are: {available}", path.display())
            }
            Self::Label { track, label } => write!(f, "track {track}: label {label} is none of the model's"),
            Self::Empty { part } => {
                write!(
                    f,
                    "no track of part {part} holds a window; check --split-column and the names of its parts"
                )
            }
        }
    }
}

impl std::error::Error for FeatureError {}

/// A track of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Its name in the split.
    pub name: String,
    /// Index of its label.
    pub label: usize,
    /// Its features.
    pub path: PathBuf,
}

/// What `frontend.json` holds.
#[derive(serde::Deserialize)]
struct Description {
    fingerprint: String,
    spec: FrontendSpec,
}

fn read(path: &Path) -> Result<Vec<u8>, FeatureError> {
    let unreadable =
        |e: std::io::Error| FeatureError::Unreadable { path: path.into(), reason: e.to_string() };
    std::fs::read(path).map_err(unreadable)
}

/// Checks that the features in `dir` were written by the front-end `spec`.
///
/// # Errors
/// The field that differs, or why the description cannot be read.
pub fn check_frontend(dir: &Path, spec: &FrontendSpec) -> Result<(), FeatureError> {
    let path = dir.join("frontend.json");
    let malformed =
        |e: serde_json::Error| FeatureError::Malformed { path: path.clone(), reason: e.to_string() };
    let found: Description = serde_json::from_slice(&read(&path)?).map_err(malformed)?;
    match spec.difference(&found.spec) {
        Some(field) => Err(FeatureError::Frontend { path, field }),
        None if found.fingerprint != format!("{:016x}", spec.fingerprint()) => {
            Err(FeatureError::Frontend { path, field: "fingerprint" })
        }
        None => Ok(()),
    }
}

/// The tracks of `part` in the column `column` of a split, in its order.
///
/// # Errors
/// A column or label that isn't there, or a part without tracks.
pub fn tracks(
    dir: &Path,
    split: &Path,
    column: &str,
    part: &str,
    labels: &[String],
) -> Result<Vec<Track>, FeatureError> {
    let text = read(split)?;
    let malformed = |e: csv::Error| FeatureError::Malformed { path: split.into(), reason: e.to_string() };
    let mut table = csv::Reader::from_reader(&text[..]);
    let header: Vec<String> = table.byte_headers().map_err(malformed)?.iter().map(lossy).collect();
    let index = |wanted: &str| {
        header.iter().position(|name| name == wanted).ok_or_else(|| FeatureError::Column {
            path: split.into(),
            column: wanted.into(),
            available: header.join(", "),
        })
    };
    let (track, genre, part_of) = (index("track")?, index("genre")?, index(column)?);
    let mut found = vec![];
    for record in table.byte_records() {
        // Every record has as many fields as the header, else reading it is an error.
        let record = record.map_err(malformed)?;
        if &record[part_of] == part.as_bytes() {
            found.push(track_of(dir, &lossy(&record[track]), &lossy(&record[genre]), labels)?);
        }
    }
    if found.is_empty() { Err(FeatureError::Empty { part: part.into() }) } else { Ok(found) }
}

/// A field's text: an artist's name in another encoding is no reason to refuse a table.
fn lossy(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

fn track_of(dir: &Path, name: &str, genre: &str, labels: &[String]) -> Result<Track, FeatureError> {
    let unknown = || FeatureError::Label { track: name.into(), label: genre.into() };
    let label = labels.iter().position(|label| label == genre).ok_or_else(unknown)?;
    Ok(Track { name: name.into(), label, path: dir.join(genre).join(format!("{name}.npy")) })
}

/// A file's frames, `[frames][128]`, Q8.8 octaves.
///
/// # Errors
/// Why the file cannot be read as such.
pub fn frames(path: &Path) -> Result<Vec<i16>, FeatureError> {
    let malformed = |reason: String| FeatureError::Malformed { path: path.into(), reason };
    let bytes = read(path)?;
    let file = npyz::NpyFile::new(&bytes[..]).map_err(|e| malformed(e.to_string()))?;
    if file.shape().len() != 2 || file.shape()[1] != MEL_BANDS as u64 || file.order() != npyz::Order::C {
        return Err(malformed(format!("shape {:?}; wanted [frames, {MEL_BANDS}], row-major", file.shape())));
    }
    file.into_vec::<i16>().map_err(|e| malformed(e.to_string()))
}

/// The windows of a track's frames: every 2 s, as many as are whole.
pub fn windows(frames: &[i16]) -> impl Iterator<Item = &[i16]> {
    let starts = (0..).step_by(WINDOW_HOP * MEL_BANDS);
    starts.map_while(move |start| frames.get(start..start + WINDOW_VALUES))
}

/// Frames as the network takes them: octaves.
#[must_use]
pub fn octaves(frames: &[i16]) -> Vec<f32> {
    frames.iter().map(|&x| f32::from(x) / 256.0).collect()
}

/// `count` windows, the same number from every label as far as it divides, spread over each label's tracks and over
/// the tracks' time. The same tracks give the same windows.
///
/// # Errors
/// A track that cannot be read, or no window at all.
pub fn calibration_windows(tracks: &[Track], count: usize) -> Result<Vec<Vec<f32>>, FeatureError> {
    let labels = tracks.iter().map(|t| t.label + 1).max().unwrap_or(0);
    let mut chosen = vec![];
    for label in 0..labels {
        let tracks: Vec<&Track> = tracks.iter().filter(|t| t.label == label).collect();
        let wanted = if tracks.is_empty() { 0 } else { count / labels + usize::from(label < count % labels) };
        for i in 0..wanted {
            let track =
                tracks[if wanted < tracks.len() { i * tracks.len() / wanted } else { i % tracks.len() }];
            let frames = frames(&track.path)?;
            let windows: Vec<_> = windows(&frames).collect();
            // Multiples of the golden ratio spread over the tracks' time without a random generator.
            let at = ((i as f64 * 0.618_034).fract() * windows.len() as f64) as usize;
            chosen.extend(windows.get(at).map(|window| octaves(window)));
        }
    }
    if chosen.is_empty() { Err(FeatureError::Empty { part: "calibration".into() }) } else { Ok(chosen) }
}

/// Writes frames as `harmonynet features` does.
#[cfg(test)]
pub(crate) fn write_frames(path: &Path, frames: &[i16]) {
    use npyz::WriterBuilder;
    let file = std::fs::File::create(path).unwrap();
    let shape = [(frames.len() / MEL_BANDS) as u64, MEL_BANDS as u64];
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd().unwrap();
    writer.extend(frames.iter().copied()).unwrap();
    writer.finish().unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_may_quote_commas_and_hold_other_encodings_but_no_short_lines() {
        let dir = tempfile::tempdir().unwrap();
        let table = dir.path().join("split.csv");
        let labels = ["blues".to_string(), "jazz".to_string()];
        let names = |part: &str| {
            tracks(dir.path(), &table, "part", part, &labels)
                .map(|found| found.into_iter().map(|track| (track.name, track.label)).collect::<Vec<_>>())
        };
        let mut text = b"track,genre,title,artist,part\n".to_vec();
        text.extend(b"a.1,blues,\"One Bourbon, One \"\"Scotch\"\"\",,train\n");
        text.extend(b"a.2,jazz,Caf\xe9,x,train\na.3,jazz,\"two\nlines\",x,valid\n");
        std::fs::write(&table, &text).unwrap();
        assert_eq!(names("train"), Ok(vec![("a.1".into(), 0), ("a.2".into(), 1)]));
        assert_eq!(names("valid"), Ok(vec![("a.3".into(), 1)]));
        assert_eq!(names("test"), Err(FeatureError::Empty { part: "test".into() }));
        text.extend(b"a.4\n");
        std::fs::write(&table, &text).unwrap();
        assert!(matches!(names("train"), Err(FeatureError::Malformed { .. })));
    }

    #[test]
    fn windows_start_every_two_seconds_and_are_whole() {
        let frames: Vec<i16> =
            (0..WINDOW_FRAMES + 2 * WINDOW_HOP - 1).flat_map(|t| [t as i16; MEL_BANDS]).collect();
        let starts: Vec<i16> = windows(&frames).map(|window| window[0]).collect();
        assert_eq!(starts, [0, WINDOW_HOP as i16]);
        assert!(windows(&frames).all(|window| window.len() == WINDOW_VALUES));
        assert_eq!(windows(&frames[..WINDOW_VALUES - 1]).count(), 0);
    }

    #[test]
    fn calibration_takes_every_label_and_many_tracks() {
        let dir = tempfile::tempdir().unwrap();
        let track = |label: usize, number: usize| {
            let path = dir.path().join(format!("{label}-{number}.npy"));
            write_frames(&path, &vec![(label * 40 + number) as i16 * 256; WINDOW_VALUES]);
            Track { name: String::new(), label, path }
        };
        // Label 0 has many tracks, label 1 none, label 2 one.
        let tracks: Vec<Track> = (0..6).map(|n| track(0, n)).chain([track(2, 0)]).collect();
        let windows = calibration_windows(&tracks, 9).unwrap();
        let values: Vec<f32> = windows.iter().map(|window| window[0]).collect();
        assert_eq!(values, [0.0, 2.0, 4.0, 80.0, 80.0, 80.0]);
    }

    #[test]
    fn a_file_of_another_shape_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        write_frames(&path, &[1; MEL_BANDS]);
        assert_eq!(frames(&path).unwrap(), [1; MEL_BANDS]);
        std::fs::write(&path, b"no numbers").unwrap();
        assert!(matches!(frames(&path), Err(FeatureError::Malformed { .. })));
    }
}
