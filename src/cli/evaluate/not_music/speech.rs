//! Speech: spoken by espeak-ng, or recordings in a folder.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use harmonynet::capture::{FileMicrophone, Microphone};

use super::super::super::files;
use super::super::judge::Quieter;
use super::Sound;

/// Voices, words per minute, and what they say: some 20 s each. Reserved for judging; whoever trains or chooses thresholds
/// takes others.
const SPOKEN: [(&str, u32, &str); 10] = [
    ("en-us", 160, NEWS),
    ("en-us+f2", 175, RECIPE),
    ("en-gb-x-rp+m3", 150, RECIPE),
    ("en-gb-scotland+f4", 165, NEWS),
    ("en-029+m7", 155, COUNTING),
    ("de+m1", 160, GERMAN),
    ("de+f3", 150, GERMAN),
    ("fr-fr+f1", 160, FRENCH),
    ("es+m5", 165, SPANISH),
    ("it+f5", 155, ITALIAN),
];

const NEWS: &str = "Good evening. The council has decided to repair the old bridge before winter. Work begins on Monday, \
    and the road along the river stays closed for at least three weeks. Buses take the upper road. People who live on \
    the island may cross on foot at any time. Tomorrow will be cloudy, with light rain in the west and some sun later on.";
const RECIPE: &str = "Peel two onions and cut them into thin slices. Warm a little oil in a pan, add the onions, and let \
    them turn golden; that takes about ten minutes, so don't hurry. Meanwhile wash the lentils. Then pour in the stock, \
    put the lid on, and leave it alone for half an hour. Taste it before you add salt. It is even better the next day.";
const COUNTING: &str = "One, two, three, four, five. Can you hear me at the back? Six, seven, eight, nine, ten. Please take \
    a seat, we are about to start. The emergency exits are on your left and on your right. If you have a question, raise \
    your hand, and somebody will bring you a microphone. Thank you all for coming on such a cold morning.";
const GERMAN: &str = "Der nächste Zug nach Süden fährt heute von Gleis sieben. Bitte beachten Sie, dass der Speisewagen \
    geschlossen bleibt. Wer umsteigen möchte, geht am besten durch die Unterführung. Auf dem Markt gibt es an diesem \
    Morgen frische Äpfel, Kartoffeln und Brot. Später soll es regnen, gegen Abend wird es wieder heller.";
const FRENCH: &str = "Bonjour à tous. La bibliothèque ouvre à neuf heures et ferme à dix-huit heures. Les enfants trouvent \
    leurs livres au premier étage, près de la grande fenêtre. Merci de parler doucement et de laisser les sacs à \
    l'entrée. Samedi prochain, une lecture aura lieu dans le jardin, s'il ne pleut pas. L'entrée est libre.";
const SPANISH: &str = "Buenas tardes. La tienda cierra dentro de quince minutos. Les rogamos que pasen por la caja con sus \
    compras. Mañana abrimos de nuevo a las nueve. En la segunda planta encontrarán zapatos, ropa de invierno y juguetes. \
    Si han perdido algo, pregunten en la entrada. Gracias por su visita y buen viaje a casa.";
const ITALIAN: &str = "Per arrivare alla stazione prenda la seconda strada a destra, poi attraversi la piazza. Vicino alla \
    fontana c'è una panetteria che apre molto presto. Il treno parte ogni mezz'ora, anche la domenica. Se ha tempo, \
    salga fino al castello: dalla torre si vede tutta la valle, e nelle giornate chiare perfino il mare.";

/// Where the speech comes from.
pub(super) enum Speech {
    /// Spoken into a folder that is deleted afterwards.
    Spoken { version: String, files: Vec<PathBuf>, _folder: tempfile::TempDir },
    /// Recordings of a folder.
    Recorded(Vec<PathBuf>),
    /// From nowhere: espeak-ng is missing.
    None,
}

impl Speech {
    /// The recordings below a folder, or else what espeak-ng says.
    pub(super) fn new(recordings: Option<&Path>) -> Result<Self> {
        if let Some(folder) = recordings {
            return Ok(Self::Recorded(files::recordings(&[folder.to_path_buf()])?));
        }
        let version = match Command::new("espeak-ng").arg("--version").output() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::None),
            output => String::from_utf8_lossy(&output.context("espeak-ng")?.stdout).into_owned(),
        };
        // What follows is the folder of its data.
        let version = version.split("  ").next().unwrap_or_default().trim().to_string();
        let folder = tempfile::tempdir().context("a folder for speech")?;
        let mut files = Vec::new();
        for (index, (voice, speed, text)) in SPOKEN.into_iter().enumerate() {
            let file = folder.path().join(format!("{index}.wav"));
            let speak = Command::new("espeak-ng")
                .args(["-v", voice, "-s", &speed.to_string(), "-w"])
                .arg(&file)
                .arg(text)
                .output()
                .context("espeak-ng")?;
            let said = String::from_utf8_lossy(&speak.stderr);
            ensure!(speak.status.success() && file.exists(), "espeak-ng, voice {voice}: {}", said.trim());
            files.push(file);
        }
        Ok(Self::Spoken { version, files, _folder: folder })
    }

    /// Every recording as it is, and 20 dB quieter.
    pub(super) fn sounds(&self) -> Vec<Sound> {
        let files: &[PathBuf] = match self {
            Self::Spoken { files, .. } | Self::Recorded(files) => files,
            Self::None => &[],
        };
        files.iter().flat_map(|file| [1, 10].map(|divisor| sound(file.clone(), divisor))).collect()
    }
}

fn sound(file: PathBuf, divisor: i64) -> Sound {
    let open = move || -> Result<Box<dyn Microphone>> {
        Ok(Box::new(Quieter { inner: FileMicrophone::open(&file)?, divisor }))
    };
    Sound { kind: "speech", open: Box::new(open) }
}

impl fmt::Display for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spoken { version, files, .. } => {
                write!(f, "{version}, {} voices, as spoken and 20 dB quieter", files.len())
            }
            Self::Recorded(files) => write!(f, "{} recordings, as they are and 20 dB quieter", files.len()),
            Self::None => f.write_str(
                "left out, for espeak-ng is missing here: install it (apt-get install espeak-ng), or name a folder of \
                 recordings (--not-music DIR)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_voice_speaks_twice_and_texts_are_long_enough() {
        for (index, (voice, speed, text)) in SPOKEN.iter().enumerate() {
            assert!(SPOKEN[..index].iter().all(|other| other.0 != *voice), "{voice}");
            let seconds = text.split_whitespace().count() as f64 * 60.0 / f64::from(*speed);
            assert!((15.0..30.0).contains(&seconds), "{voice}: {seconds} s");
        }
    }
}
