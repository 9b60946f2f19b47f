//! Which tracks, or which of their excerpts, belong to a part of a collection.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use harmonynet::classify::package::sha256_hex;
use harmonynet::flow::Labels;

use super::super::files;

/// A labelled recording.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Track {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Index of its label.
    pub(super) label: u8,
    /// Which of its excerpts count, by their place on the grid of windows; `None`: all.
    pub(super) excerpts: Option<BTreeSet<usize>>,
}

/// The wanted part of a collection.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// In the order of their names.
    pub(super) tracks: Vec<Track>,
    /// Tracks of the part without a recording.
    pub(super) missing: usize,
    /// Tracks with excerpts inside the part and outside of it: a leak on purpose.
    pub(super) torn: usize,
    /// SHA-256 of the sorted lines `track,genre,part` (`track,genre,part,excerpt` of a table by excerpt) that count.
    pub(super) sha256: String,
}

/// The table's columns that matter.
struct Columns {
    track: usize,
    part: usize,
    genre: Option<usize>,
    excerpt: Option<usize>,
}

/// What the table `csv` counts among `parts` in its column `column`, as far as `audio` has recordings of it.
pub(super) fn part(
    csv: &Path,
    column: &str,
    parts: &[String],
    audio: &Path,
    labels: &Labels,
) -> Result<Part> {
    let mut table =
        csv::Reader::from_path(csv).with_context(|| format!("{}: cannot be read", csv.display()))?;
    let columns = columns(table.headers()?, csv, column)?;
    let recordings = by_name(audio)?;
    let (mut tracks, mut lines) = (BTreeMap::<String, Track>::new(), BTreeSet::new());
    let (mut missing, mut outside) = (BTreeSet::new(), BTreeSet::new());
    for row in table.records() {
        let row = row.with_context(|| csv.display().to_string())?;
        let (Some(name), Some(part)) = (row.get(columns.track), row.get(columns.part)) else { continue };
        if !parts.iter().any(|wanted| wanted == part) {
            outside.insert(name.to_string());
            continue;
        }
        let Some(path) = recordings.get(name) else {
            missing.insert(name.to_string());
            continue;
        };
        let line = row.position().map_or(0, csv::Position::line);
        let at = || format!("{}:{line}: track {name}", csv.display());
        let genre = columns.genre.and_then(|genre| row.get(genre)).unwrap_or_else(|| folder(path));
        let label = label(genre, labels).with_context(at)?;
        let excerpt = columns.excerpt.and_then(|excerpt| row.get(excerpt));
        let excerpt: Option<usize> = excerpt
            .map(|text| text.parse().with_context(|| format!("excerpt `{text}` is no number from 0 on")))
            .transpose()
            .with_context(at)?;
        let fresh = || Track { name: name.to_string(), path: path.clone(), label, excerpts: None };
        let track = tracks.entry(name.to_string()).or_insert_with(fresh);
        ensure!(track.label == label, "{}: another row gives it another genre", at());
        let place = excerpt.map_or(String::new(), |excerpt| format!(",{excerpt}"));
        ensure!(lines.insert(format!("{name},{genre},{part}{place}\n")), "{}: stands there twice", at());
        if let Some(excerpt) = excerpt {
            track.excerpts.get_or_insert_default().insert(excerpt);
        }
    }
    ensure!(
        !tracks.is_empty(),
        "{}: no track of the part {} has a recording in {}",
        csv.display(),
        parts.join(", "),
        audio.display()
    );
    let torn = tracks.keys().filter(|name| outside.contains(*name)).count();
    ensure!(
        torn == 0 || columns.excerpt.is_some(),
        "{}: {torn} tracks are in more than one part; a table of excerpts needs a column `excerpt`",
        csv.display()
    );
    Ok(Part {
        tracks: tracks.into_values().collect(),
        missing: missing.len(),
        torn,
        sha256: sha256_hex(lines.into_iter().collect::<String>().as_bytes()),
    })
}

fn columns(headers: &csv::StringRecord, csv: &Path, part: &str) -> Result<Columns> {
    let find = |name: &str| headers.iter().position(|header| header == name);
    let need = |name: &str| {
        find(name).with_context(|| {
            let there: Vec<&str> = headers.iter().collect();
            format!("{}: no column `{name}`; there are {}", csv.display(), there.join(", "))
        })
    };
    Ok(Columns { track: need("track")?, part: need(part)?, genre: find("genre"), excerpt: find("excerpt") })
}

/// The recordings below `audio` by their file names without extension.
pub(super) fn by_name(audio: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut by_name: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in files::recordings(&[audio.to_path_buf()])? {
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_string) else {
            continue;
        };
        if let Some(other) = by_name.get(&name) {
            bail!("{} and {} are one track in the table", other.display(), path.display());
        }
        by_name.insert(name, path);
    }
    Ok(by_name)
}

/// The name of the folder that a recording lies in.
fn folder(path: &Path) -> &str {
    path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default()
}

/// The index of a genre among the labels.
fn label(genre: &str, labels: &Labels) -> Result<u8> {
    let label = labels.iter().position(|label| label == genre).with_context(|| {
        let names: Vec<&str> = labels.iter().map(|label| label.as_str()).collect();
        format!("its genre `{genre}` is no label of the model ({})", names.join(", "))
    })?;
    Ok(label as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use harmonynet::flow::Label;

    fn labels() -> Labels {
        ["jazz", "rock"].into_iter().map(|label| Label::try_from(label).unwrap()).collect()
    }

    /// Reads the part `test` of the column `fold0` of a table, over recordings a, b (jazz) and c (rock).
    fn read(table: &str) -> Result<Part> {
        let folder = tempfile::tempdir().unwrap();
        for file in ["jazz/a.wav", "jazz/b.wav", "rock/c.wav"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        let csv = folder.path().join("table.csv");
        std::fs::write(&csv, table).unwrap();
        part(&csv, "fold0", &["test".into()], folder.path(), &labels())
    }

    fn error(table: &str) -> String {
        format!("{:#}", read(table).unwrap_err())
    }

    #[test]
    fn tracks_of_the_part_are_found_and_missing_ones_counted() {
        let part = read("track,fold0\nc,test\na,test\nb,train\nz,test\n").unwrap();
        let names: Vec<_> = part.tracks.iter().map(|t| (t.name.as_str(), t.label)).collect();
        assert_eq!(names, [("a", 0), ("c", 1)]);
        assert_eq!((part.missing, part.torn), (1, 0));
        assert_eq!(part.sha256, sha256_hex(b"a,jazz,test\nc,rock,test\n"));
    }

    #[test]
    fn excerpts_of_the_part_are_kept_apart_and_the_leak_is_counted() {
        let part = read("track,excerpt,fold0\na,0,train\na,1,test\na,4,test\nb,0,test\n").unwrap();
        assert_eq!(part.tracks[0].excerpts, Some(BTreeSet::from([1, 4])));
        assert_eq!((part.tracks.len(), part.torn), (2, 1));
        assert_eq!(part.sha256, sha256_hex(b"a,jazz,test,1\na,jazz,test,4\nb,jazz,test,0\n"));
    }

    #[test]
    fn the_genre_column_comes_before_the_folder() {
        assert_eq!(read("track,genre,fold0\na,rock,test\n").unwrap().tracks[0].label, 1);
    }

    #[test]
    fn what_is_wrong_with_a_table_is_named() {
        let polka = error("track,genre,fold0\nb,jazz,test\na,polka,test\n");
        assert!(
            polka.contains(":3: track a: its genre `polka` is no label of the model (jazz, rock)"),
            "{polka}"
        );
        assert!(error("track,part\na,test\n").contains("no column `fold0`; there are track, part"));
        assert!(error("track,fold0\na,test\na,test\n").contains("stands there twice"));
        assert!(error("track,fold0\na,test\na,train\n").contains("in more than one part"));
        assert!(error("track,excerpt,fold0\na,first,test\n").contains("`first` is no number"));
        assert!(error("track,genre,excerpt,fold0\na,jazz,0,test\na,rock,1,test\n").contains("another genre"));
        assert!(error("track,fold0\nz,test\n").contains("no track of the part test has a recording"));
    }
}
