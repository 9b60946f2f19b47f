//! Writes what is suggested into a settings file, and leaves everything else in it as it is: comments, order, spaces. The
//! only file that names the library for that.
//!
//! The new text is read as settings before it replaces the old one, and it replaces it at once: a power cut leaves one or
//! the other.

use std::io::{IsTerminal as _, Write as _, stderr, stdin};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use harmonynet::settings::{Layer, Origin, Settings, Value};
use toml_edit::{DocumentMut, Item, Table};

use super::advice::Advice;
use super::report::channel_name;

/// What is to be written.
pub(super) struct Save {
    file: PathBuf,
    text: String,
    /// The lines for people: keys, values, and what held before.
    lines: Vec<String>,
}

impl Save {
    /// What of the advice differs from the effective settings, and how the file reads with it.
    pub(super) fn plan(file: &Path, advice: &Advice, settings: &Settings) -> Result<Self> {
        let suggested = [
            ("microphone.channel", advice.channel.map(|channel| Value::Text(channel_name(channel)))),
            ("verdict.silence_dbfs", advice.silence_dbfs.map(|dbfs| Value::Number(dbfs.into()))),
        ];
        let (mut changes, mut lines) = (Vec::new(), Vec::new());
        for (name, value) in suggested {
            let Some(value) = value else { continue };
            let before = settings.get(name).and_then(|(before, origin)| Some((before?, origin)));
            match before {
                Some((before, origin)) if *before == value && outlasts(origin) => continue,
                Some((before, origin)) => lines.push(format!("{name} = {value}    (was {before}: {origin})")),
                None => lines.push(format!("{name} = {value}")),
            }
            changes.push((name, value));
        }
        // Behind links is the file itself: a rename would replace the link.
        let file = file.canonicalize().with_context(|| file.display().to_string())?;
        let place = file.display().to_string();
        let old = std::fs::read_to_string(&file).with_context(|| place.clone())?;
        let text = edited(&old, &changes).with_context(|| place.clone())?;
        Layer::of_file(&place, &text)?;
        Ok(Self { file, text, lines })
    }

    /// Shows what is going to be written, asks, and writes; the file, if it was written.
    pub(super) fn carry_out(self, yes: bool) -> Result<Option<String>> {
        let file = self.file.display();
        if self.lines.is_empty() {
            eprintln!("{file}: nothing to save; it says what is suggested, or nothing is");
            return Ok(None);
        }
        eprintln!("{file}:\n  {}", self.lines.join("\n  "));
        if !yes {
            ensure!(stdin().is_terminal(), "nobody here to ask; --yes saves without asking");
            eprint!("write this? [y/N] ");
            stderr().flush()?;
            let mut answer = String::new();
            stdin().read_line(&mut answer)?;
            if !answer.trim().eq_ignore_ascii_case("y") {
                eprintln!("nothing was written");
                return Ok(None);
            }
        }
        replace(&self.file, &self.text).with_context(|| format!("{file} could not be written"))?;
        eprintln!("saved");
        Ok(Some(self.file.display().to_string()))
    }
}

/// Whether a value holds without this very command line and environment.
fn outlasts(origin: &Origin) -> bool {
    !matches!(origin, Origin::CommandLine | Origin::Environment(_))
}

/// The text with these keys set to these values.
fn edited(text: &str, changes: &[(&str, Value)]) -> Result<String> {
    let mut document: DocumentMut = text.parse()?;
    for (name, value) in changes {
        let (table, key) = name.split_once('.').with_context(|| format!("{name} is in no table"))?;
        let item = document.entry(table).or_insert_with(|| Item::Table(Table::new()));
        let Some(table) = item.as_table_like_mut() else { bail!("{table} is no table") };
        let mut new: toml_edit::Value = value.to_string().parse()?;
        match table.get_mut(key).and_then(Item::as_value_mut) {
            Some(old) => {
                // Spaces before it and the comment behind it stay.
                *new.decor_mut() = old.decor().clone();
                *old = new;
            }
            None => {
                table.insert(key, Item::Value(new));
            }
        }
    }
    Ok(document.to_string())
}

/// Replaces a file at once by one with the same rights.
fn replace(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let before = file.metadata()?;
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(text.as_bytes())?;
    fresh.as_file().set_permissions(before.permissions())?;
    if let Err(error) = chown(fresh.path(), Some(before.uid()), Some(before.gid())) {
        // Only the superuser may give a file away. Whoever owns it already needn't.
        let ours = fresh.as_file().metadata()?;
        ensure!((ours.uid(), ours.gid()) == (before.uid(), before.gid()), "its owner would change: {error}");
    }
    fresh.as_file().sync_all()?;
    fresh.persist(file)?;
    // The rename itself lasts only once the folder is on the disk.
    Ok(std::fs::File::open(folder)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, silence: f64) -> String {
        let changes = [
            ("microphone.channel", Value::Text("2".into())),
            ("verdict.silence_dbfs", Value::Number(silence)),
        ];
        let after = edited(text, &changes).unwrap();
        let read = Layer::of_file("f", &after).unwrap();
        let none = Layer::default();
        let settings = Settings::resolve(&none, &none, &read, &[]).unwrap();
        assert_eq!(settings.text("microphone.channel"), Some("2"), "{after}");
        assert_eq!(settings.number("verdict.silence_dbfs"), Some(silence), "{after}");
        after
    }

    #[test]
    fn only_the_values_change() {
        let text = "# mine\nboard = \"pi-4\"   # the one in the kitchen\n\n[verdict]\nsilence_dbfs   =  -60 # loud\n\n\
                    [microphone] # I2S\nkind = \"inmp441\"\nchannel = 1\n# end\n";
        let expected = text.replace("-60", "-71.0").replace("channel = 1", "channel = \"2\"");
        assert_eq!(set(text, -71.0), expected);
    }

    #[test]
    fn every_form_of_a_table_is_understood() {
        assert_eq!(set("", -71.0), "[microphone]\nchannel = \"2\"\n\n[verdict]\nsilence_dbfs = -71.0\n");
        let inline = set("microphone = { kind = \"usb\" } # here\n", -71.0);
        assert!(
            inline.starts_with("microphone = { kind = \"usb\"") && inline.contains("\" } # here\n"),
            "{inline}"
        );
        let dotted = set("microphone.kind = \"usb\"\nverdict.silence_dbfs = -50 # why\n", -71.0);
        assert!(dotted.contains("verdict.silence_dbfs = -71.0 # why"), "{dotted}");
        let example = harmonynet::settings::text::example();
        let after = set(&example, -71.0);
        let added: Vec<&str> =
            after.lines().filter(|line| !example.lines().any(|old| old == *line)).collect();
        assert_eq!(added, ["channel = \"2\"", "silence_dbfs = -71.0"]);
        assert!(edited("microphone = 1\n", &[("microphone.channel", Value::Text("1".into()))]).is_err());
    }

    #[test]
    fn the_file_is_replaced_with_its_rights_and_through_its_link() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("s.toml"), folder.path().join("link.toml"));
        std::fs::write(&file, "[display]\nbrightness = 3\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        let none = Layer::default();
        let settings = Settings::resolve(&none, &none, &none, &[]).unwrap();
        let advice = Advice { silence_dbfs: Some(-71.0), ..Advice::default() };
        let saved = Save::plan(&link, &advice, &settings).unwrap().carry_out(true).unwrap();
        assert_eq!(saved, Some(file.canonicalize().unwrap().display().to_string()));
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, "[display]\nbrightness = 3\n\n[verdict]\nsilence_dbfs = -71.0\n");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
        // What holds already is not written again, unless it holds for this once only.
        let advice = Advice { silence_dbfs: Some(-60.0), ..Advice::default() };
        assert_eq!(Save::plan(&file, &advice, &settings).unwrap().carry_out(true).unwrap(), None);
        let once = Layer::of_command_line([("verdict.silence_dbfs", "-60")]).unwrap();
        let settings = Settings::resolve(&once, &none, &none, &[]).unwrap();
        assert!(Save::plan(&file, &advice, &settings).unwrap().carry_out(true).unwrap().is_some());
    }
}
