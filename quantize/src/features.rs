//! Log-mel frames that `harmonynet features` wrote, and who belongs to which part of a split.
//!
//! ```text
//! DIR/frontend.json          {"fingerprint": "…", "spec": {…}}
//! DIR/<label>/<track>.npy    i16 [frames, 128], Q8.8 octaves
//! split.csv                  track,genre,<column of parts>,…
//! ```

use std::path::{Path, PathBuf};

use harmonynet::spec::{FrontendSpec, MEL_BANDS, WindowLength};

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
    /// The features come from a front-end that the runtime cannot compute.
    Frontend {
        /// The description of the front-end that wrote them.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The description of the front-end was changed after the features had been written.
    Fingerprint {
        /// The description.
        path: PathBuf,
        /// The fingerprint that it states.
        stated: String,
        /// The fingerprint of its fields.
        found: String,
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
            Self::Frontend { path, field, allowed } => write!(
                f,
                "{}: written by another front-end; {field} is out of range, allowed: {allowed}; write the features again \
                 with `harmonynet features`",
                path.display()
            ),
            Self::Fingerprint { path, stated, found } => write!(
                f,
                "{}: the fingerprint is {stated}, but the fields beside it have {found}; write the features again with \
                 `harmonynet features`",
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

/// The front-end that wrote the features in `dir`.
///
/// # Errors
/// The field that the runtime cannot compute, or why the description cannot be believed.
pub fn frontend(dir: &Path) -> Result<FrontendSpec, FeatureError> {
    let path = dir.join("frontend.json");
    let malformed =
        |e: serde_json::Error| FeatureError::Malformed { path: path.clone(), reason: e.to_string() };
    let Description { fingerprint: stated, spec } =
        serde_json::from_slice(&read(&path)?).map_err(malformed)?;
    let found = fingerprint(&spec);
    if stated != found {
        return Err(FeatureError::Fingerprint { path, stated, found });
    }
    match spec.validate() {
        Ok(()) => Ok(spec),
        Err(error) => Err(FeatureError::Frontend { path, field: error.field, allowed: error.allowed }),
    }
}

/// A front-end's fingerprint as files state it.
#[must_use]
pub fn fingerprint(spec: &FrontendSpec) -> String {
    format!("{:016x}", spec.fingerprint())
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

/// How windows are cut out of a track's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// How long they are.
    pub length: WindowLength,
    /// Frames between them.
    pub period: usize,
}

impl Windows {
    /// Windows of a model's length every 2 s, as the runtime cuts a recording.
    #[must_use]
    pub fn of(length: WindowLength, spec: &FrontendSpec) -> Self {
        Self { length, period: spec.excerpt_frames() }
    }

    /// The windows of a track's frames, as many as are whole.
    pub fn cut(self, frames: &[i16]) -> impl Iterator<Item = &[i16]> {
        let starts = (0..).step_by(self.period * MEL_BANDS);
        let values = self.length.frames() * MEL_BANDS;
        starts.map_while(move |start| frames.get(start..start + values))
    }
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
pub fn calibration_windows(
    tracks: &[Track],
    windows: Windows,
    count: usize,
) -> Result<Vec<Vec<f32>>, FeatureError> {
    let labels = tracks.iter().map(|t| t.label + 1).max().unwrap_or(0);
    let mut chosen = vec![];
    for label in 0..labels {
        let tracks: Vec<&Track> = tracks.iter().filter(|t| t.label == label).collect();
        let wanted = if tracks.is_empty() { 0 } else { count / labels + usize::from(label < count % labels) };
        for i in 0..wanted {
            let track =
                tracks[if wanted < tracks.len() { i * tracks.len() / wanted } else { i % tracks.len() }];
            let frames = frames(&track.path)?;
            let windows: Vec<_> = windows.cut(&frames).collect();
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
        for (steps, hop, period) in [(19, 512, 88), (5, 1536, 32)] {
            let length = WindowLength::of_steps(steps).unwrap();
            let windows = Windows::of(length, &FrontendSpec::SHIPPED.with_hop(hop));
            let count = length.frames() + 2 * period - 1;
            let frames: Vec<i16> = (0..count).flat_map(|t| [t as i16; MEL_BANDS]).collect();
            let starts: Vec<i16> = windows.cut(&frames).map(|window| window[0]).collect();
            assert_eq!(starts, [0, period as i16]);
            let values = length.frames() * MEL_BANDS;
            assert!(windows.cut(&frames).all(|window| window.len() == values));
            assert_eq!(windows.cut(&frames[..values - 1]).count(), 0);
        }
    }

    #[test]
    fn the_front_end_is_what_its_description_says_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let describe = |stated: &FrontendSpec, spec: &FrontendSpec| {
            let text = serde_json::json!({ "fingerprint": fingerprint(stated), "spec": spec });
            std::fs::write(dir.path().join("frontend.json"), text.to_string()).unwrap();
            frontend(dir.path())
        };
        let shipped = FrontendSpec::SHIPPED;
        let coarse = shipped.with_hop(1536);
        assert_eq!(describe(&coarse, &coarse), Ok(coarse));
        let error = describe(&shipped, &coarse).unwrap_err();
        assert!(matches!(error, FeatureError::Fingerprint { .. }), "{error}");
        let other = FrontendSpec { log_steps: 128, ..shipped };
        let text = describe(&other, &other).unwrap_err().to_string();
        assert!(text.contains("log_steps is out of range, allowed: 256"), "{text}");
    }

    #[test]
    fn calibration_takes_every_label_and_many_tracks() {
        let dir = tempfile::tempdir().unwrap();
        let windows = Windows::of(WindowLength::SHIPPED, &FrontendSpec::SHIPPED);
        let track = |label: usize, number: usize| {
            let path = dir.path().join(format!("{label}-{number}.npy"));
            write_frames(
                &path,
                &vec![(label * 40 + number) as i16 * 256; windows.length.frames() * MEL_BANDS],
            );
            Track { name: String::new(), label, path }
        };
        // Label 0 has many tracks, label 1 none, label 2 one.
        let tracks: Vec<Track> = (0..6).map(|n| track(0, n)).chain([track(2, 0)]).collect();
        let windows = calibration_windows(&tracks, windows, 9).unwrap();
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
