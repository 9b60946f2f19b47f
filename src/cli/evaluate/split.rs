//! Which tracks belong to a part of a collection.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use harmonynet::flow::Labels;

use super::super::files;
use super::stem;

/// A labelled recording.
pub(super) struct Track {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Index of its label.
    pub(super) label: u8,
}

/// The tracks that the table `csv` counts among `parts` in its column `column`, as far as `audio` has them.
pub(super) fn tracks(
    csv: &Path,
    column: &str,
    parts: &[String],
    audio: &Path,
    labels: &Labels,
) -> Result<Vec<Track>> {
    let mut table =
        csv::Reader::from_path(csv).with_context(|| format!("{}: cannot be read", csv.display()))?;
    let headers = table.headers()?.clone();
    let find = |name: &str| {
        headers.iter().position(|header| header == name).with_context(|| {
            let there: Vec<&str> = headers.iter().collect();
            format!("{}: no column `{name}`; there are {}", csv.display(), there.join(", "))
        })
    };
    let (track, part) = (find("track")?, find(column)?);
    let recordings = files::recordings(&[audio.to_path_buf()])?;
    let mut by_name: BTreeMap<&str, &PathBuf> = BTreeMap::new();
    for path in &recordings {
        if let Some(name) = stem(path)
            && let Some(other) = by_name.insert(name, path)
        {
            bail!("{} and {} are one track in the table", other.display(), path.display());
        }
    }
    let mut tracks = Vec::new();
    for row in table.records() {
        let row = row.with_context(|| csv.display().to_string())?;
        let (Some(name), Some(its_part)) = (row.get(track), row.get(part)) else { continue };
        let Some(path) = by_name.get(name).filter(|_| parts.iter().any(|part| part == its_part)) else {
            continue;
        };
        tracks.push(Track { name: name.to_string(), path: (*path).clone(), label: label(path, labels)? });
    }
    ensure!(
        !tracks.is_empty(),
        "{}: no track of the part {} has a recording in {}",
        csv.display(),
        parts.join(", "),
        audio.display()
    );
    Ok(tracks)
}

/// The label that a recording's folder names.
fn label(path: &Path, labels: &Labels) -> Result<u8> {
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let label = labels.iter().position(|label| label == folder);
    let label = label.with_context(|| {
        let names: Vec<&str> = labels.iter().map(|label| label.as_str()).collect();
        format!("{}: the folder `{folder}` is no label of the model ({})", path.display(), names.join(", "))
    })?;
    Ok(label as u8)
}
