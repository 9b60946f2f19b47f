//! Many recordings at once: finding them, working on them in parallel, showing how far it is.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Extensions that are looked for in folders; files that are named are tried whatever they are called.
const EXTENSIONS: [&str; 5] = ["wav", "flac", "mp3", "ogg", "oga"];

/// The recordings that `paths` name: files as they are, folders with everything below them, sorted.
pub(crate) fn recordings(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            walk(path, &mut found)?;
            found[before..].sort();
            ensure!(
                found.len() > before,
                "{}: no recordings (wav, flac, mp3, ogg) in this folder",
                path.display()
            );
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = folder.read_dir().with_context(|| format!("{}: cannot be read", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if path.is_dir() {
            walk(&path, found)?;
        } else if extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
            found.push(path);
        }
    }
    Ok(())
}

/// A progress bar on standard error; nothing where that is no terminal.
pub(crate) fn progress(length: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} · {eta} left · {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

/// Does `work` for every item on several threads, with a progress bar. Errors are told as they come; how many there were.
pub(crate) fn in_parallel<T: Sync>(
    items: &[T],
    jobs: Option<usize>,
    work: impl Fn(&T) -> Result<()> + Sync,
) -> usize {
    in_parallel_with(items, jobs, || Ok(()), |(), item| work(item))
}

/// As [`in_parallel`], with something of its own for each thread, made by `begin`.
pub(crate) fn in_parallel_with<T: Sync, S>(
    items: &[T],
    jobs: Option<usize>,
    begin: impl Fn() -> Result<S> + Sync,
    work: impl Fn(&mut S, &T) -> Result<()> + Sync,
) -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let bar = progress(items.len() as u64);
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let fail = |error: anyhow::Error| {
        failed.fetch_add(1, Ordering::Relaxed);
        bar.suspend(|| super::log::say(format_args!("harmonynet: {error:#}")));
    };
    thread::scope(|scope| {
        for _ in 0..jobs.unwrap_or(processors).clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                let mut own = match begin() {
                    Ok(own) => own,
                    Err(error) => return fail(error),
                };
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = work(&mut own, item) {
                        fail(error);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    failed.into_inner()
}
