//! Settings through broken files, torn copies, full disks and power cuts.

use super::*;
use crate::disk::simulated::{Fate, Simulated};

const OLD: &str = "[display]\nbrightness = 7\n[appliance]\nhostname = \"old\"\n";
const NEW: &str = "[display]\nbrightness = 9\n[appliance]\nhostname = \"new\"\nwifi_name = \"net\"\nwifi_country = \"DE\"\n";

fn text(disk: &Simulated, path: &str) -> Option<String> {
    disk.read(path, 1 << 20).ok().map(|bytes| String::from_utf8(bytes).unwrap())
}

fn kept(disk: &Simulated) -> Option<String> {
    disk.read(COPY, 1 << 20).ok().and_then(|bytes| seal::open(&bytes).map(str::to_string))
}

#[test]
fn the_cards_settings_are_obeyed_and_kept() {
    let disk = Simulated::new();
    disk.place(CARD, NEW.replace('\n', "\r\n").as_bytes());
    disk.place("/proc/sys/kernel/hostname", b"");
    assert_eq!(run(&disk, &[]), [""; 0]);
    assert_eq!(text(&disk, PROGRAM).unwrap(), "[display]\nbrightness = 9\n\n\n\n\n");
    assert_eq!(text(&disk, HOSTNAME).unwrap(), "new\n");
    assert_eq!(text(&disk, KERNEL_HOSTNAME).unwrap(), "new");
    assert!(text(&disk, WIRELESS).unwrap().contains("ssid=6e6574"));
    assert_eq!((text(&disk, NOTICE), text(&disk, SSH_KEYS)), (None, None));
    assert_eq!(kept(&disk).unwrap(), NEW);
    let before = disk.operations();
    let system = disk.boot(Fate::Lost);
    assert_eq!(run(&system, &[]), [""; 0]);
    assert!(system.operations() < before, "what is kept already is not written again");
    // The network is taken out of the file.
    system.place(CARD, OLD.as_bytes());
    assert_eq!(run(&system, &[]), [""; 0]);
    assert_eq!(text(&system, WIRELESS), None);
}

#[test]
fn a_broken_file_is_told_and_the_last_good_settings_are_used() {
    let disk = Simulated::new();
    disk.place(CARD, OLD.as_bytes());
    run(&disk, &[]);
    for broken in [&b"[display\nbright"[..], b"\0\0\0\0", b"[display]\nbrightness = 700\n", &[b'#'; 70_000]] {
        let disk = disk.boot(Fate::Lost);
        disk.place(CARD, broken);
        let told = run(&disk, &[]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("harmonynet.toml"), "{told:?}");
        assert_eq!(text(&disk, NOTICE).unwrap(), format!("{}\nthe last good settings are used\n", told[0]));
        assert!(text(&disk, PROGRAM).unwrap().contains("brightness = 7"));
        assert_eq!(kept(&disk).unwrap(), OLD);
        // Mended without another boot.
        disk.place(CARD, NEW.as_bytes());
        assert_eq!(run(&disk, &[]), [""; 0]);
        assert_eq!(text(&disk, NOTICE), None);
    }
    let many: String = (0..500).map(|n| format!("key{n} = 1\n")).collect();
    disk.place(CARD, many.as_bytes());
    let told = run(&disk, &[]);
    assert!(told.len() == MOST_LINES + 2 && told[MOST_LINES].contains("and 492 more"), "{told:?}");
    disk.remove(CARD).unwrap();
    let told = run(&disk, &[]);
    assert!(told[0].contains("not on the card"), "a file that was there and is gone is a fault: {told:?}");
}

#[test]
fn without_any_good_settings_the_defaults_are_used() {
    let disk = Simulated::new();
    assert_eq!(run(&disk, &[]), [""; 0], "a card without settings never had any");
    assert_eq!(text(&disk, PROGRAM).unwrap(), "");
    disk.place(CARD, b"?");
    let told = run(&disk, &[]);
    assert!(told[1].contains("the defaults are used"), "{told:?}");
    assert_eq!(text(&disk, PROGRAM).unwrap(), "");
    for damaged in ["", "a = 1\n", "# sha256 00\na = 1\n"] {
        disk.place("/data/settings/harmonynet.toml", damaged.as_bytes());
        let told = run(&disk, &[]);
        assert!(told[1].contains("damaged") && told[2].contains("the defaults"), "{told:?}");
    }
    // Kept by another version, for which it was right.
    disk.place(COPY, seal::seal("[display]\nformer = 1\n").as_bytes());
    assert!(run(&disk, &[])[1].contains("not right any more"));
}

#[test]
fn a_full_or_read_only_disk_is_told_and_the_settings_count() {
    let disk = Simulated::new();
    disk.place(CARD, OLD.as_bytes());
    run(&disk, &[]);
    disk.place(CARD, NEW.as_bytes());
    disk.leave_room(Some(20));
    let told = run(&disk, &[]);
    assert!(told[0].contains("could not be kept"), "{told:?}");
    assert!(text(&disk, PROGRAM).unwrap().contains("brightness = 9"));
    assert_eq!((kept(&disk).unwrap(), text(&disk, NOTICE)), (OLD.into(), None));
    disk.leave_room(None);
    disk.set_read_only(true);
    assert!(run(&disk, &[])[0].contains("could not be kept"));
    disk.set_read_only(false);
    assert_eq!(run(&disk, &[]), [""; 0]);
    assert_eq!(kept(&disk).unwrap(), NEW);
}

/// The old settings are kept; the card has new ones; power is cut at every operation, with every fate; the next boot finds the
/// card's file destroyed. It must have the old settings or the new ones, whole.
#[test]
fn whenever_power_is_cut_the_settings_are_the_old_ones_or_the_new_ones() {
    let fates = [Fate::Lost, Fate::Kept, Fate::Hollow].into_iter().chain((0..50).map(Fate::Chance));
    let mut outcomes = std::collections::BTreeSet::new();
    for fate in fates {
        for operation in 1.. {
            let disk = Simulated::new();
            disk.place(CARD, OLD.as_bytes());
            run(&disk, &[]);
            let disk = disk.boot(Fate::Lost);
            disk.place(CARD, NEW.as_bytes());
            disk.cut_at(operation);
            run(&disk, &[]);
            let is_last = !disk.is_off();
            let disk = disk.boot(fate);
            disk.place(CARD, b"destroyed");
            run(&disk, &[]);
            let got = text(&disk, PROGRAM).unwrap();
            let brightness = got.lines().nth(1).unwrap_or_default().to_string();
            assert!(
                ["brightness = 7", "brightness = 9"].contains(&brightness.as_str()),
                "{fate:?}, {operation}: {got}"
            );
            assert!(!is_last || brightness.ends_with('9'), "what ended lasts");
            outcomes.insert(brightness);
            if is_last {
                assert!(operation > 8, "the cuts came to nothing");
                break;
            }
        }
    }
    assert_eq!(outcomes.len(), 2, "cuts before and after the new settings lasted");
}

/// The very first settings: before them there is nothing.
#[test]
fn the_first_settings_are_whole_or_not_there() {
    for fate in [Fate::Lost, Fate::Kept, Fate::Hollow].into_iter().chain((0..50).map(Fate::Chance)) {
        for operation in 1..=12 {
            let disk = Simulated::new();
            disk.place(CARD, NEW.as_bytes());
            disk.cut_at(operation);
            run(&disk, &[]);
            let disk = disk.boot(fate);
            assert!(kept(&disk).is_none_or(|kept| kept == NEW));
            assert_eq!(run(&disk, &[]), [""; 0], "the card still has them: {fate:?}, {operation}");
            assert_eq!(kept(&disk).unwrap(), NEW);
        }
    }
}
