//! A package's folder, written whole or not at all.
//!
//! Every file is first written beside its place under a temporary name; only when all are on disk are they renamed, the
//! manifest last. Its hashes refuse whatever a power cut in between leaves behind.

use std::io::Write;
use std::path::{Path, PathBuf};

use harmonynet::spec::{LOG_MEL_LIMIT, MEL_BANDS, WindowLength};

use crate::features::{self, FeatureError, Windows};

/// A file that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub reason: String,
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: cannot be written: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for WriteError {}

/// Removes the temporary files that were not renamed.
struct Staged(Vec<(PathBuf, PathBuf)>);

impl Drop for Staged {
    fn drop(&mut self) {
        for (temporary, _) in &self.0 {
            // Whatever can't be removed is named so that a person recognizes it; the package is untouched.
            let _ = std::fs::remove_file(temporary);
        }
    }
}

/// Writes `files` (name, contents) into `dir`, which is made if need be; the last one is renamed last.
///
/// # Errors
/// The file that cannot be written. Nothing that was there before has changed unless a rename itself failed.
pub fn write_files(dir: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), WriteError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |e: std::io::Error| WriteError { path, reason: e.to_string() }
    };
    std::fs::create_dir_all(dir).map_err(failed(dir))?;
    let mut staged = Staged(vec![]);
    for (name, contents) in files {
        let temporary = dir.join(format!(".{name}.{}.partial", std::process::id()));
        staged.0.push((temporary.clone(), dir.join(name)));
        let mut file = std::fs::File::create(&temporary).map_err(failed(&temporary))?;
        file.write_all(contents).and_then(|()| file.sync_all()).map_err(failed(&temporary))?;
    }
    staged.0.iter().try_for_each(|(temporary, path)| std::fs::rename(temporary, path).map_err(failed(path)))
}

/// The golden window: the middle window of a feature file made from self-made sound, or [`formula_window`].
///
/// # Errors
/// A file that cannot be read or is shorter than a window.
pub fn golden_window(path: Option<&Path>, windows: Windows) -> Result<Vec<i16>, FeatureError> {
    let Some(path) = path else { return Ok(formula_window(windows.length)) };
    let frames = features::frames(path)?;
    let cut: Vec<_> = windows.cut(&frames).collect();
    match cut.get(cut.len() / 2) {
        Some(window) => Ok(window.to_vec()),
        None => Err(FeatureError::Malformed {
            path: path.into(),
            reason: format!("{} frames; a window has {}", frames.len() / MEL_BANDS, windows.length.frames()),
        }),
    }
}

/// A window by formula, integers only: four drifting partials that pulse, over a tilted floor with a little noise.
#[must_use]
pub fn formula_window(length: WindowLength) -> Vec<i16> {
    let mut noise = 0x2545_f491u32;
    let mut value = |i: usize| {
        let (frame, band) = ((i / MEL_BANDS) as i32, (i % MEL_BANDS) as i32);
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let floor = -512 - 12 * band + (noise >> 24) as i32;
        let pulse = 1600 - 80 * (frame % 21);
        let partial = |n: i32| pulse - 256 * n - 300 * (band - (14 + 22 * n + frame / 40)).abs();
        let loudest = (0..4).map(partial).fold(floor, i32::max);
        loudest.clamp(-i32::from(LOG_MEL_LIMIT), i32::from(LOG_MEL_LIMIT)) as i16
    };
    (0..length.frames() * MEL_BANDS).map(&mut value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_window_is_within_the_front_ends_range_and_not_flat() {
        let window = formula_window(WindowLength::SHIPPED);
        assert_eq!(window.len(), 166 * MEL_BANDS);
        assert!(window.iter().all(|v| v.abs() <= LOG_MEL_LIMIT));
        assert!(window.iter().max().unwrap() - window.iter().min().unwrap() > 2000);
    }

    #[test]
    fn a_failed_write_leaves_the_old_files_and_no_temporary_ones() {
        let dir = tempfile::tempdir().unwrap();
        write_files(dir.path(), &[("a", b"old".to_vec())]).unwrap();
        // A file name with a folder that isn't there cannot be staged.
        let error =
            write_files(dir.path(), &[("a", b"new".to_vec()), ("no/such/folder", vec![])]).unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["a"]);
        assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"old");
    }
}
