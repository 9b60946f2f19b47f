//! Sound cards and the microphone of the settings.

use harmonynet::capture::{CaptureError, Channel};

use super::machine::{Files, Reach};
use super::{Finding, Patient, boot, permission};

/// The sound cards, and whether this user may use them.
pub(super) fn cards(patient: &Patient<'_>) -> Vec<Finding> {
    let files = patient.machine.files();
    let denied: Vec<String> = files
        .list("/dev/snd")
        .iter()
        // Controls, and streams that capture.
        .filter(|name| name.starts_with("controlC") || (name.starts_with("pcmC") && name.ends_with('c')))
        .map(|name| format!("/dev/snd/{name}"))
        .filter(|path| files.reach(path) == Reach::Denied)
        .collect();
    let mut found = Vec::new();
    if let Some(path) = denied.first() {
        let all = denied.join(", ");
        found.push(Finding::error(
            "sound-access",
            format!("this user may not use {all}"),
            permission::mend(files, path),
        ));
    }
    let cards = patient.machine.cards();
    found.extend(cards.iter().map(|card| match &card.offers {
        Ok(offers) if card.usable => {
            Finding::ok("sound-card", format!("{} ({}): {offers}", card.pcm, card.title))
        }
        Ok(offers) => Finding::warning(
            "sound-card",
            format!("{} ({}): no rate of it can be used: {offers}", card.pcm, card.title),
            format!("name its converting form: plug{}", card.pcm),
        ),
        Err(CaptureError::Busy) => Finding::ok(
            "sound-card",
            format!("{} ({}): in use{}", card.pcm, card.title, holder(files).unwrap_or_default()),
        ),
        Err(error) => Finding::warning(
            "sound-card",
            format!("{} ({}): {error}", card.pcm, card.title),
            error.fault().map_or("plug it in again", harmonynet::flow::Fault::mend),
        ),
    }));
    if cards.is_empty() {
        let none = "no sound card of this machine can capture";
        // Where none may be used, that has been told; a sound server may bring a microphone all the same.
        found.push(if denied.is_empty() {
            Finding::warning("sound-card", none, "plug a microphone in, or wire one and set microphone.kind")
        } else {
            Finding::unknown("sound-card", none)
        });
    }
    found
}

/// Who holds a microphone, by the kernel's word.
fn holder(files: &Files) -> Option<String> {
    for card in files.list("/proc/asound").iter().filter(|name| name.starts_with("card")) {
        for pcm in files.list(&format!("/proc/asound/{card}")) {
            if !(pcm.starts_with("pcm") && pcm.ends_with('c')) {
                continue;
            }
            let status = files.read(&format!("/proc/asound/{card}/{pcm}/sub0/status")).unwrap_or_default();
            let owner = status.lines().find_map(|line| line.strip_prefix("owner_pid"));
            let Some(pid) = owner.map(|owner| owner.trim_matches([' ', ':', '\t'])) else { continue };
            let name = files.read(&format!("/proc/{pid}/comm")).unwrap_or_else(|| "a program".into());
            return Some(format!(" by {name} (process {pid})"));
        }
    }
    None
}

/// The microphone of the settings: it is opened for a moment.
pub(super) fn microphone(patient: &Patient<'_>) -> Vec<Finding> {
    if !cfg!(feature = "alsa") {
        return vec![Finding::error(
            "microphone",
            "this build has no microphones",
            "install a build with the feature `alsa`",
        )];
    }
    let name = patient.text("microphone.device");
    let channel = match patient.text("microphone.channel").parse() {
        Ok(number @ 1..=8_u8) => Channel::Pick(number - 1),
        _ => Channel::Mix,
    };
    vec![match patient.machine.listen(name, channel) {
        Ok(sound) if sound.zeros => Finding::warning(
            "microphone",
            format!("`{name}`: {}, but every sample is 0", sound.granted),
            "switch its capture on (alsamixer, F4) or check the data line; `harmonynet mic-test` shows each channel",
        ),
        Ok(sound) => Finding::ok("microphone", format!("`{name}`: {}", sound.granted)),
        Err(error) => {
            let held = if error == CaptureError::Busy { holder(patient.machine.files()) } else { None };
            let found = format!("`{name}`: {error}{}", held.unwrap_or_default());
            Finding::error("microphone", found, mend(patient, error))
        }
    }]
}

fn mend(patient: &Patient<'_>, error: CaptureError) -> String {
    let usual = error.fault().map_or("choose another device", harmonynet::flow::Fault::mend);
    let part = patient.parts.microphone(patient.text("microphone.kind"));
    let Some(part) = part.filter(|part| error == CaptureError::Missing && !part.config.is_empty()) else {
        return usual.into();
    };
    match boot::missing(patient, &part.config) {
        Some((place, lines)) => {
            format!("add `{}` to {place} and restart: it makes the sound card", lines.join("`, `"))
        }
        None => format!(
            "its sound card comes from `{}`: look for its driver's words in `dmesg`, and check the wiring",
            part.config.join("`, `")
        ),
    }
}
