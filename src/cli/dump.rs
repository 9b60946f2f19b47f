//! Writes the trace down when somebody asks or something breaks. At most four files; a disk that is full costs the dump and a
//! line, nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harmonynet::capture::Granted;
use harmonynet::flow::{Health, State};
use harmonynet::pipeline::listen::News;
use harmonynet::pipeline::tracer::Tracer;
use harmonynet::trace::file::{self, Fares, Snapshot};

/// Files that are kept.
const FILES: usize = 4;
/// A fault within this time after one that was written down is not; each time it is twice as long, up to a day: something that
/// breaks every minute must not wear a memory card out.
const BETWEEN_FAULTS: Duration = Duration::from_secs(60);
const MOST_BETWEEN_FAULTS: Duration = Duration::from_secs(24 * 3600);
/// The file while it is written.
const UNFINISHED: &str = "trace.part";

/// Writes dumps on a thread of their own, one at a time.
pub(crate) struct Dumper {
    tracer: Tracer,
    folder: Option<PathBuf>,
    asked: Arc<AtomicBool>,
    writing: Option<JoinHandle<io::Result<PathBuf>>>,
    /// When a fault was written down last, and how long none is after that.
    last_fault: Option<(Instant, Duration)>,
    /// Something broke that isn't news.
    is_broken: bool,
    granted: Option<Granted>,
    health: Health,
}

impl Dumper {
    /// Dumps of `tracer` go to `named`, else to the first folder that the environment names; `asked` is set when somebody wants
    /// one.
    pub(crate) fn new(tracer: Tracer, named: Option<&Path>, asked: Arc<AtomicBool>) -> Self {
        let environment = || {
            let given = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
            let of_user = || given("XDG_RUNTIME_DIR").map(|folder| folder.join("harmonynet"));
            given("STATE_DIRECTORY").or_else(|| given("RUNTIME_DIRECTORY")).or_else(of_user)
        };
        let folder = named.map(Path::to_path_buf).or_else(environment);
        let (writing, last_fault, granted) = (None, None, None);
        let health = Health::default();
        Self { tracer, folder, asked, writing, last_fault, is_broken: false, granted, health }
    }

    /// Something broke that no news tells of, a display: written down with the next news.
    pub(crate) fn broke(&mut self) {
        self.is_broken = true;
    }

    /// Whether it tells that something broke, or that sound was lost.
    fn tells_fault(&self, news: &News) -> bool {
        match news {
            News::Broken(..) => true,
            News::Verdict(scene, _) => matches!(scene.state, State::Fault { .. }),
            News::Health(health) => {
                health.overruns > self.health.overruns || health.dropped > self.health.dropped
            }
            _ => false,
        }
    }

    /// Looks whether there is something to do; what a person should know comes back.
    pub(crate) fn look(&mut self, news: &News) -> Option<String> {
        self.is_broken |= self.tells_fault(news);
        match news {
            News::Opened(granted) => self.granted = Some(*granted),
            News::Health(health) => self.health = *health,
            _ => {}
        }
        let told = self.finish(false);
        if self.writing.is_none() {
            let broke = std::mem::take(&mut self.is_broken)
                && self.last_fault.is_none_or(|(last, rest)| last.elapsed() >= rest);
            if self.asked.swap(false, Ordering::Relaxed) {
                return self.begin("asked").or(told);
            }
            if broke {
                let rest = self.last_fault.map_or(BETWEEN_FAULTS, |(_, rest)| 2 * rest);
                self.last_fault = Some((Instant::now(), rest.min(MOST_BETWEEN_FAULTS)));
                return self.begin("fault").or(told);
            }
        }
        told
    }

    /// Waits for a dump that is being written.
    pub(crate) fn close(&mut self) -> Option<String> {
        self.finish(true)
    }

    fn begin(&mut self, reason: &'static str) -> Option<String> {
        let Some(folder) = self.folder.clone() else {
            let is_asked = reason == "asked";
            return is_asked
                .then(|| "no trace written: there is no folder for it; name one with --trace".into());
        };
        let snapshot = self.tracer.snapshot();
        let fares = self.fares();
        let write = move || write(&folder, &snapshot, &fares, reason);
        match std::thread::Builder::new().name("trace".into()).spawn(write) {
            Ok(thread) => self.writing = Some(thread),
            Err(error) => return Some(format!("no trace written: {error}")),
        }
        None
    }

    fn fares(&self) -> Fares {
        let health = &self.health;
        Fares {
            granted: cut(&self.granted.map_or_else(String::new, |granted| granted.to_string())),
            scheduler: cut(&scheduler(Path::new("/proc/self/task")).unwrap_or_default()),
            heard: health.heard,
            lost: health.lost,
            dropped: health.dropped,
            passed_over: health.passed_over,
            overruns: health.overruns,
            failures: health.failures,
        }
    }

    fn finish(&mut self, wait: bool) -> Option<String> {
        let thread = self.writing.take_if(|thread| wait || thread.is_finished())?;
        Some(match thread.join() {
            Ok(Ok(path)) => {
                format!("trace written: `harmonynet trace {}` tells what is in it", path.display())
            }
            Ok(Err(error)) => format!("no trace written: {error}"),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

/// As much of a text as there is room for.
fn cut<const N: usize>(text: &str) -> heapless::String<N> {
    let mut room = heapless::String::new();
    // What no longer fits is left away.
    let _ = text.chars().try_for_each(|letter| room.push(letter));
    room
}

/// How the kernel schedules the capture thread: of this process's threads in `tasks` the only one that asks for a priority, and
/// an ordinary one where it was not granted.
fn scheduler(tasks: &Path) -> Option<String> {
    let stats = fs::read_dir(tasks).ok()?.filter_map(Result::ok);
    let granted =
        stats.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok()).filter_map(|stat| {
            // proc_pid_stat(5): after the name in parentheses state is the 3rd field, rt_priority the 40th, policy the 41st.
            let fields: Vec<u32> =
                stat.rsplit_once(')')?.1.split_whitespace().map(|n| n.parse().unwrap_or(0)).collect();
            Some((*fields.get(40 - 3)?, *fields.get(41 - 3)?))
        });
    Some(match granted.max()? {
        (0, _) => "ordinary".into(),
        (priority, 1) => format!("first in, first out, priority {priority}"),
        (priority, policy) => format!("policy {policy}, priority {priority}"),
    })
}

/// Writes a snapshot into the folder, in the place of the oldest file where there are enough.
fn write(folder: &Path, snapshot: &Snapshot, fares: &Fares, reason: &str) -> io::Result<PathBuf> {
    let at =
        |error: io::Error, path: &Path| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| at(error, folder))?;
    let unfinished = folder.join(UNFINISHED);
    let place = oldest(folder);
    let written = create(&unfinished).and_then(|file| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        file::write(BufWriter::new(file), snapshot, fares, reason, millis)?;
        fs::rename(&unfinished, &place)
    });
    if let Err(error) = written {
        // What was written in part is of no use, and may be what fills the disk.
        let _ = fs::remove_file(&unfinished);
        return Err(at(error, &unfinished));
    }
    Ok(place)
}

/// A new file for this user alone. What lies in its place, a link too, is removed, not followed.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The first name that is free, else that of the oldest file.
fn oldest(folder: &Path) -> PathBuf {
    let places = (0..FILES).map(|number| folder.join(format!("trace-{number}.hnt")));
    let age = |path: &PathBuf| path.symlink_metadata().and_then(|meta| meta.modified()).unwrap_or(UNIX_EPOCH);
    places.min_by_key(age).unwrap_or_else(|| folder.join("trace-0.hnt"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use harmonynet::capture::{CaptureError, ManualClock};
    use harmonynet::flow::{Fault, Scene};

    fn dumper(folder: &Path) -> (Dumper, Arc<AtomicBool>, Tracer) {
        let tracer = Tracer::new(ManualClock::default());
        let asked = Arc::new(AtomicBool::new(false));
        (Dumper::new(tracer.clone(), Some(folder), Arc::clone(&asked)), asked, tracer)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_dump_is_written_when_asked_and_when_something_breaks_but_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let (mut dumper, asked, tracer) = dumper(folder.path());
        tracer.fault(3, Fault::MicrophoneLost);
        assert_eq!(dumper.look(&News::Nothing), None);
        assert_eq!(dumper.close(), None, "nobody asked");
        let broken = News::Broken(Fault::MicrophoneLost, CaptureError::Lost);
        for _ in 0..3 {
            dumper.look(&broken);
            dumper.close();
        }
        assert_eq!(names(folder.path()), ["trace-0.hnt"], "a flapping microphone writes one");
        for _ in 0..7 {
            asked.store(true, Ordering::Relaxed);
            dumper.look(&News::Nothing);
            assert!(dumper.close().unwrap().starts_with("trace written"));
        }
        assert_eq!(names(folder.path()), ["trace-0.hnt", "trace-1.hnt", "trace-2.hnt", "trace-3.hnt"]);
        let (header, records) = file::read(File::open(folder.path().join("trace-1.hnt")).unwrap()).unwrap();
        assert_eq!((header.reason.as_str(), records.len()), ("asked", 1));
    }

    #[test]
    fn a_failing_model_lost_sound_and_a_display_are_faults_too() {
        let state = |state| News::Verdict(Scene { state, ..Scene::default() }, None);
        let lost = |overruns, dropped| News::Health(Health { overruns, dropped, ..Health::default() });
        let is_written = |news: &[News], breaks: bool| {
            let folder = tempfile::tempdir().unwrap();
            let (mut dumper, _, _) = dumper(folder.path());
            if breaks {
                dumper.broke();
            }
            news.iter().for_each(|news| assert_eq!(dumper.look(news), None));
            dumper.close().is_some()
        };
        assert!(is_written(&[state(State::Fault { fault: Fault::Classifier })], false));
        assert!(is_written(&[lost(0, 0), lost(1, 0)], false) && is_written(&[lost(0, 512)], false));
        assert!(is_written(&[News::Nothing], true));
        assert!(!is_written(&[state(State::Silence), lost(0, 0), News::Nothing], false));
    }

    #[test]
    fn a_dump_says_what_was_granted_and_what_was_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (mut dumper, asked, _) = dumper(folder.path());
        dumper.look(&News::Health(Health { overruns: 2, lost: 960, passed_over: 7, ..Health::default() }));
        asked.store(true, Ordering::Relaxed);
        dumper.look(&News::Nothing);
        dumper.close();
        let (header, _) = file::read(File::open(folder.path().join("trace-0.hnt")).unwrap()).unwrap();
        let fares = header.fares;
        assert_eq!((fares.overruns, fares.lost, fares.passed_over, &*fares.granted), (2, 960, 7, ""));
    }

    #[test]
    fn the_capture_threads_scheduler_is_read_as_the_kernel_tells_it() {
        let tasks = tempfile::tempdir().unwrap();
        assert_eq!(scheduler(tasks.path()), None);
        for (task, priority, policy, expected) in [
            ("7", 0, 0, "ordinary"),
            ("8", 40, 1, "first in, first out, priority 40"),
            ("9", 0, 0, "first in, first out, priority 40"),
        ] {
            let folder = tasks.path().join(task);
            fs::create_dir(&folder).unwrap();
            let zeros = vec!["0"; 36].join(" ");
            fs::write(folder.join("stat"), format!("{task} (a name) 1) S {zeros} {priority} {policy} 0\n"))
                .unwrap();
            assert_eq!(scheduler(tasks.path()).unwrap(), expected);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_and_a_full_disk_cost_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let (mut dumper, asked, _) = dumper(&file);
        asked.store(true, Ordering::Relaxed);
        assert_eq!(dumper.look(&News::Nothing), None);
        let told = dumper.close().unwrap();
        assert!(told.starts_with("no trace written: ") && told.contains("file"), "{told}");
        // A device that is always full, as the disk.
        let snapshot =
            Snapshot { records: vec![[0; harmonynet::trace::RECORD_BYTES]; 1000], ..Snapshot::default() };
        if let Ok(full) = OpenOptions::new().write(true).open("/dev/full") {
            let error =
                file::write(BufWriter::new(full), &snapshot, &Fares::default(), "asked", 0).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
