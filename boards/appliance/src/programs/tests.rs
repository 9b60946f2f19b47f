//! Programs through updates, starts that fail, damage, full disks and power cuts.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::confirm::{Feedings, Outcome};
use super::*;
use crate::disk::simulated::{Fate, Simulated};
use crate::package::made::package;

const OWN: &[u8] = b"the image's own";
const FIRST: &[u8] = b"the first, somewhat longer";
const SECOND: &[u8] = b"the second";

fn image() -> Simulated {
    let disk = Simulated::new();
    disk.place("/usr/bin/harmonynet", OWN);
    disk
}

/// Whether this is a whole program of one of the releases, as its version says.
fn tried(disk: &Simulated, path: &str, version: &str) -> Result<(), String> {
    let wanted = match version {
        "1-1" => FIRST,
        "2-1" => SECOND,
        _ => return Err("it says that it is another".into()),
    };
    let found = disk.read(path, 1 << 20).map_err(|error| error.to_string())?;
    if found == wanted { Ok(()) } else { Err("it crashes".into()) }
}

/// A package; compressed once, as thousands of updates take it.
fn packed(version: &str, program: &[u8]) -> Vec<u8> {
    static MADE: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let key = format!("{version} {program:?}");
    MADE.lock().unwrap().entry(key).or_insert_with(|| package(version, program)).clone()
}

fn update(disk: &Simulated, version: &str, program: &[u8]) -> Result<Place, String> {
    let package = packed(version, program);
    let trial = |path: &str, version: &str| tried(disk, path, version);
    update::run(disk, &mut &*package, &trial).map(|(place, _)| place).map_err(|failed| failed.to_string())
}

/// The program that a start of the service runs.
fn started(disk: &Simulated) -> Vec<u8> {
    let (_, linked) = boot::run(disk);
    // What the system made early in the boot.
    linked.unwrap();
    disk.read(LINK, 1 << 20).unwrap()
}

fn confirm(disk: &Simulated) -> Outcome {
    confirm::run(disk, &mut || true)
}

/// Updates, starts and confirms.
fn settle(disk: &Simulated, version: &str, program: &[u8]) {
    update(disk, version, program).unwrap();
    assert_eq!(started(disk), program);
    assert_eq!(confirm(disk), Outcome::Confirmed(version.into()));
}

#[test]
fn without_updates_the_images_own_program_runs() {
    let disk = image();
    assert_eq!(started(&disk), OWN);
    assert_eq!(confirm(&disk), Outcome::Nothing);
    disk.set_read_only(true);
    assert_eq!(started(&disk.boot(Fate::Lost)), OWN);
}

#[test]
fn updates_take_turns_and_never_touch_the_program_that_is_known_to_listen() {
    let disk = image();
    settle(&disk, "1-1", FIRST);
    assert_eq!(update(&disk, "2-1", SECOND).unwrap(), Place::B);
    assert_eq!(disk.read(Place::A.path(), 1000).unwrap(), FIRST);
    // Before it was heard, another update replaces it rather than the good one.
    assert_eq!(started(&disk), SECOND);
    assert_eq!(update(&disk, "2-1", SECOND).unwrap(), Place::B);
    assert_eq!(
        confirm(&disk),
        Outcome::Failed("the new program does not run yet: restart the service".into())
    );
    assert_eq!(started(&disk), SECOND);
    assert_eq!(confirm(&disk), Outcome::Confirmed("2-1".into()));
    assert_eq!(update(&disk, "1-1", FIRST).unwrap(), Place::A);
    assert_eq!(started(&disk.boot(Fate::Lost)), FIRST);
}

#[test]
fn a_program_that_never_listens_is_given_up_after_three_starts_whether_of_service_or_system() {
    for reboots in [false, true] {
        let mut disk = image();
        settle(&disk, "1-1", FIRST);
        update(&disk, "2-1", SECOND).unwrap();
        for _ in 0..TRIES {
            assert_eq!(started(&disk), SECOND);
            assert_eq!(confirm::run(&disk, &mut || false), Outcome::Unheard);
            disk = if reboots { disk.boot(Fate::Lost) } else { disk };
        }
        let (told, _) = boot::run(&disk);
        assert!(
            told[0].contains("2-1, is given up: it never came up listening in 3 starts; back to a"),
            "{told:?}"
        );
        assert_eq!(disk.read(LINK, 1000).unwrap(), FIRST);
        let (state, _) = State::load(&disk);
        assert_eq!((state.chosen, state.confirmed, state.failed.as_ref()), (Place::A, true, told.first()));
        assert_eq!(started(&disk), FIRST);
        // It may be tried anew.
        settle(&disk, "2-1", SECOND);
    }
}

#[test]
fn what_is_damaged_is_not_started() {
    let disk = image();
    settle(&disk, "1-1", FIRST);
    settle(&disk, "2-1", SECOND);
    let disk = disk.boot(Fate::Lost);
    // Of the same length: found when the service starts again because the program crashed.
    disk.place(Place::B.path(), &[0; SECOND.len()]);
    assert_eq!(started(&disk), [0; SECOND.len()]);
    assert_eq!(started(&disk), FIRST);
    // Of another length: found at once.
    disk.place(Place::A.path(), &FIRST[..3]);
    assert_eq!(started(&disk), OWN);
    let (state, _) = State::load(&disk);
    assert_eq!((state.chosen, state.a, state.b), (Place::Root, None, None));

    // A new one is read as a whole before its first start.
    update(&disk, "1-1", FIRST).unwrap();
    disk.place(Place::A.path(), &[0; FIRST.len()]);
    assert_eq!(started(&disk), OWN);
}

#[test]
fn a_damaged_state_means_the_images_own_program() {
    let disk = image();
    settle(&disk, "1-1", FIRST);
    let good = disk.read(STATE, 10_000).unwrap();
    let sealed = |text: &str| seal::seal(text).into_bytes();
    let nonsense = [
        Vec::new(),
        b"chosen = \"a\"".to_vec(),
        vec![0xff; 100],
        vec![b'x'; 1 << 20],
        good[..good.len() - 1].to_vec(),
        sealed("chosen = \"a\"\nconfirmed = true\ntries = 0\nfallback = \"root\"\n"),
        sealed("chosen = \"root\"\nconfirmed = false\ntries = 0\nfallback = \"root\"\n"),
        sealed("chosen = \"c\"\n"),
    ];
    for state in nonsense {
        disk.place(STATE, &state);
        let (told, _) = boot::run(&disk);
        assert!(told.len() == 1 && told[0].contains("the image's own program is used"), "{told:?}");
        assert_eq!(disk.read(LINK, 1000).unwrap(), OWN);
    }
    // It mends itself with the next update.
    settle(&disk, "2-1", SECOND);
}

#[test]
fn tries_that_cannot_be_counted_are_not_made() {
    let disk = image();
    settle(&disk, "1-1", FIRST);
    update(&disk, "2-1", SECOND).unwrap();
    disk.set_read_only(true);
    for _ in 0..5 {
        let (told, _) = boot::run(&disk);
        assert!(told[0].contains("cannot be counted"), "{told:?}");
        assert_eq!(disk.read(LINK, 1000).unwrap(), FIRST);
    }
    assert!(matches!(confirm(&disk), Outcome::Failed(_)), "what runs is not what is to be confirmed");
    disk.set_read_only(false);
    assert_eq!(started(&disk), SECOND);
}

#[test]
fn what_fails_leaves_everything_as_it_was() {
    let disk = image();
    settle(&disk, "1-1", FIRST);
    let (before, _) = State::load(&disk);
    assert!(update(&disk, "2-1", b"broken").unwrap_err().contains("does not run here: it crashes"));
    assert!(update(&disk, "9-1", SECOND).unwrap_err().contains("does not run here"));
    disk.leave_room(Some(1 << 20));
    assert_eq!(update(&disk, "2-1", SECOND).unwrap_err(), "it needs 2 MiB in /data, where 1 MiB are free");
    let torn = package("2-1", SECOND);
    let trial = |_: &str, _: &str| Ok(());
    disk.leave_room(None);
    assert!(update::run(&disk, &mut &torn[..torn.len() - 40], &trial).is_err());
    assert_eq!(State::load(&disk), (before, None));
    assert_eq!(disk.read(Place::B.path(), 1000).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(disk.read("/data/programs/b/harmonynet.new", 1000).is_err(), "what is of no use takes no room");
    assert_eq!(started(&disk), FIRST);
    disk.set_read_only(true);
    assert!(update(&disk, "2-1", SECOND).unwrap_err().contains("read-only"));
}

#[test]
fn a_program_that_listens_at_its_second_start_only_is_kept() {
    let disk = image();
    update(&disk, "1-1", FIRST).unwrap();
    started(&disk);
    // Started again while it is waited for sound.
    let again = &mut || started(&disk) == FIRST;
    assert_eq!(confirm::run(&disk, again), Outcome::Confirmed("1-1".into()));
    // Installed again: what is heard is not what was installed.
    update(&disk, "2-1", SECOND).unwrap();
    started(&disk);
    let installed = &mut || update(&disk, "2-1", SECOND).is_ok();
    assert!(matches!(confirm::run(&disk, installed), Outcome::Failed(_)));
    assert!(!State::load(&disk).0.confirmed);
}

#[test]
fn only_feedings_after_it_got_ready_confirm() {
    let show = |state: &str, stamp: u64| format!("ActiveState={state}\nWatchdogTimestampMonotonic={stamp}\n");
    let mut feedings = Feedings::default();
    for printed in
        [show("activating", 0), show("active", 5), show("active", 5), show("active", 9), show("active", 9)]
    {
        assert!(!feedings.take(&printed));
    }
    assert!(!feedings.take(&show("activating", 0)), "it was started again");
    assert!(!feedings.take(&show("active", 20)));
    assert!(!feedings.take(&show("active", 28)));
    assert!(feedings.take(&show("active", 36)));
    assert!(!Feedings::default().take("nonsense"));
}

/// What runs after power was cut during `act`, at every operation and with every fate; until it ends without a cut. After each the
/// system must start a whole program that `allowed` names, and be able to take an update.
fn cut_everywhere(
    prepare: impl Fn() -> Simulated,
    act: impl Fn(&Simulated),
    allowed: &[&[u8]],
    at_last: &[u8],
) {
    let fates = [Fate::Lost, Fate::Kept, Fate::Hollow].into_iter().chain((0..40).map(Fate::Chance));
    for fate in fates {
        for operation in 1.. {
            let disk = prepare();
            disk.cut_at(operation);
            act(&disk);
            let is_last = !disk.is_off();
            let disk = disk.boot(fate);
            let (state, complaint) = State::load(&disk);
            assert_eq!(complaint, None, "{fate:?}, {operation}");
            let program = started(&disk);
            assert!(allowed.contains(&&*program), "{fate:?}, {operation}: {state:?}");
            assert!(!is_last || program == at_last, "{fate:?}: what ended lasts");
            // The program that is known to listen is there, too.
            let (state, _) = State::load(&disk);
            if let Some(good) = state.program(state.good()) {
                assert_eq!(
                    check(&disk, state.good(), good, true),
                    Ok(()),
                    "{fate:?}, {operation}: {state:?}"
                );
            }
            assert!(update(&disk, "2-1", SECOND).is_ok(), "{fate:?}, {operation}");
            assert_eq!(started(&disk), SECOND);
            assert_eq!(confirm(&disk), Outcome::Confirmed("2-1".into()));
            if is_last {
                assert!(operation > 3, "the cuts came to nothing");
                break;
            }
        }
    }
}

#[test]
fn power_may_be_cut_during_the_first_update() {
    cut_everywhere(image, |disk| drop(update(disk, "1-1", FIRST)), &[OWN, FIRST], FIRST);
}

#[test]
fn power_may_be_cut_during_the_second_and_third_update() {
    let one = || {
        let disk = image();
        settle(&disk, "1-1", FIRST);
        disk.boot(Fate::Kept)
    };
    cut_everywhere(one, |disk| drop(update(disk, "2-1", SECOND)), &[FIRST, SECOND], SECOND);
    let two = || {
        let disk = one();
        settle(&disk, "2-1", SECOND);
        disk.boot(Fate::Lost)
    };
    cut_everywhere(two, |disk| drop(update(disk, "1-1", FIRST)), &[FIRST, SECOND], FIRST);
    // One that was not heard listening yet is replaced: the good one is the image's own or the first.
    let unheard = || {
        let disk = one();
        update(&disk, "2-1", SECOND).unwrap();
        started(&disk);
        disk
    };
    cut_everywhere(unheard, |disk| drop(update(disk, "2-1", SECOND)), &[FIRST, SECOND], SECOND);
}

#[test]
fn power_may_be_cut_while_a_program_is_tried_confirmed_or_given_up() {
    let tried = |starts: u32| {
        let disk = image();
        settle(&disk, "1-1", FIRST);
        update(&disk, "2-1", SECOND).unwrap();
        (0..starts).for_each(|_| drop(started(&disk)));
        disk
    };
    let start = |disk: &Simulated| drop(boot::run(disk));
    cut_everywhere(|| tried(0), start, &[SECOND], SECOND);
    cut_everywhere(|| tried(1), |disk| drop(confirm(disk)), &[SECOND], SECOND);
    // The last try was made: from here on, it is given up.
    cut_everywhere(|| tried(TRIES), start, &[FIRST], FIRST);
}

#[test]
fn a_program_that_never_listens_is_given_up_however_often_power_is_cut() {
    for seed in 0..100 {
        let mut disk = image();
        settle(&disk, "1-1", FIRST);
        update(&disk, "2-1", SECOND).unwrap();
        let mut starts = 0;
        // A start whose count is lost with the power has hardly begun; one that runs has its count on the disk.
        for cut in 0..40 {
            disk.cut_at(1 + (seed as usize * 7 + cut * 3) % 14);
            let (_, linked) = boot::run(&disk);
            let runs = linked.is_ok() && disk.read(LINK, 1000).is_ok_and(|program| program == SECOND);
            starts += u32::from(runs);
            disk = disk.boot(Fate::Chance(seed * 100 + cut as u64));
        }
        assert!(starts <= TRIES, "{seed}: {starts} starts of a program that never listens");
    }
}
