//! The last settings file that was right, kept for the day when the file is broken.
//!
//! At the command line a broken file is an error: whoever started the program is there to mend it. A device on a shelf goes
//! on with what worked before and says what is wrong.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::layers::Layer;
use super::problem::{Problem, Problems};

/// The copy's name in the state folder.
const COPY: &str = "last-good.toml";

/// Settings that can be used, and what was wrong on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct LastGood {
    /// The file's layer, or that of the last file that was right, or an empty one.
    pub layer: Layer,
    /// What is wrong with the file; empty where nothing is.
    pub problems: Vec<Problem>,
    /// Where the layer came from, if not from the file itself.
    pub instead: Option<Instead>,
}

/// What is used instead of a file that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// The last good copy.
    Copy(PathBuf),
    /// Nothing: no copy was ever kept, or it is broken too.
    Nothing,
}

/// Reads `file`; if it is right, keeps a copy below `state`, if it is broken, reads the copy. Nothing is ever written to
/// `file`. A file that doesn't exist says nothing and is right, unless a copy shows that there was one.
///
/// A copy that cannot be kept (a full or read-only card) is told among the problems, and the settings are used all the same.
#[must_use]
pub fn read(file: &Path, state: &Path) -> LastGood {
    let copy = state.join(COPY);
    let name = file.display().to_string();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !copy.exists() => {
            return LastGood { layer: Layer::default(), problems: Vec::new(), instead: None };
        }
        Err(error) => return instead(&copy, vec![unreadable(&name, &error)]),
    };
    match Layer::of_file(&name, &text) {
        Ok(layer) => {
            let problems = keep(&copy, &text).err().map(|error| Problem {
                place: copy.display().to_string(),
                line: None,
                field: String::new(),
                wrong: format!("the last good settings could not be kept: {error}"),
                mend: "give this user a folder to write to, with --state".into(),
            });
            LastGood { layer, problems: problems.into_iter().collect(), instead: None }
        }
        Err(Problems(problems)) => instead(&copy, problems),
    }
}

fn instead(copy: &Path, mut problems: Vec<Problem>) -> LastGood {
    let name = copy.display().to_string();
    let layer = match std::fs::read_to_string(copy) {
        Ok(text) => Layer::of_file(&name, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return LastGood { layer: Layer::default(), problems, instead: Some(Instead::Nothing) };
        }
        Err(error) => Err(Problems(vec![unreadable(&name, &error)])),
    };
    match layer {
        Ok(layer) => LastGood { layer, problems, instead: Some(Instead::Copy(copy.into())) },
        Err(Problems(more)) => {
            problems.extend(more);
            LastGood { layer: Layer::default(), problems, instead: Some(Instead::Nothing) }
        }
    }
}

/// What is wrong with a file that cannot be read.
#[must_use]
pub fn unreadable(name: &str, error: &io::Error) -> Problem {
    let mend = match error.kind() {
        io::ErrorKind::NotFound => "`harmonynet config --example` prints one to begin with",
        io::ErrorKind::PermissionDenied => "let this user read it",
        _ => "is it a text file, and its disk all right?",
    };
    Problem {
        place: name.into(),
        line: None,
        field: String::new(),
        wrong: format!("cannot be read: {error}"),
        mend: mend.into(),
    }
}

/// Writes the copy so that a power cut leaves the old one or the new one; not at all where it says the same already, which
/// spares the card.
fn keep(copy: &Path, text: &str) -> io::Result<()> {
    if std::fs::read_to_string(copy).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    let folder = copy.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let fresh = copy.with_extension("toml.new");
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, copy)?;
    // The rename itself lasts only once the folder is on the disk.
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_is_told_and_the_last_good_one_used() {
        let folder = tempfile::tempdir().unwrap();
        let (file, state) = (folder.path().join("settings.toml"), folder.path().join("state"));

        let none = read(&file, &state);
        assert_eq!(none.problems, []);
        assert_eq!(none.instead, None);

        std::fs::write(&file, "[display]\nbrightness = 7\n").unwrap();
        let good = read(&file, &state);
        assert_eq!((good.problems.len(), &good.instead), (0, &None));

        // Saved by an editor that lost its power, or written wrong.
        for broken in ["[display\nbright", "[display]\nbrightness = 700\n"] {
            std::fs::write(&file, broken).unwrap();
            let used = read(&file, &state);
            assert!(matches!(&used.instead, Some(Instead::Copy(_))), "{used:?}");
            assert_eq!(used.problems.len(), 1);
            assert!(used.problems[0].line.is_some(), "{used:?}");
            assert!(format!("{:?}", used.layer).contains("Integer(7)"), "{used:?}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), broken, "the file itself is never written");
        }

        std::fs::remove_file(&file).unwrap();
        let gone = read(&file, &state);
        assert!(
            matches!(&gone.instead, Some(Instead::Copy(_))),
            "a file that was there and is gone is a fault"
        );

        std::fs::write(state.join(COPY), "nonsense").unwrap();
        let both = read(&file, &state);
        assert_eq!(both.instead, Some(Instead::Nothing));
        assert_eq!(both.problems.len(), 2);
    }

    #[test]
    fn a_copy_that_cannot_be_kept_is_told_and_the_settings_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, "[display]\nbrightness = 7\n").unwrap();
        // A file where the folder should be.
        let used = read(&file, &file);
        assert_eq!(used.instead, None);
        assert!(used.problems[0].wrong.contains("could not be kept"), "{used:?}");
        assert!(format!("{:?}", used.layer).contains("Integer(7)"), "{used:?}");
    }
}
