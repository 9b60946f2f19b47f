//! What this program does to disks, as few operations as it needs; below a root, so that tests have a system of their own. The
//! only file that names `rustix`.
//!
//! A power cut may come between any two operations and within each. What has been written lasts once [`Disk::sync`] said so, and
//! what a folder holds (new files, renamed ones, removed ones) once [`Disk::sync_folder`] did. [`keep`] is made of these so that
//! a file is the old one or the new one, whatever happens.

#[cfg(test)]
pub(crate) mod simulated;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A system's files. Paths are absolute, as the booted system has them.
pub(crate) trait Disk {
    /// Opens a file for reading.
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>>;

    /// The length of a plain file, bytes. Of a link, a folder or a device: an error.
    fn length(&self, path: &str) -> io::Result<u64>;

    /// Writes a file anew with the rights `mode`, and gives its length. It lasts only after [`sync`](Self::sync).
    fn write(&self, path: &str, source: &mut dyn Read, mode: u32) -> io::Result<u64>;

    /// Makes what is in a file last.
    fn sync(&self, path: &str) -> io::Result<()>;

    /// Makes what a folder holds last.
    fn sync_folder(&self, path: &str) -> io::Result<()>;

    /// Renames a file; one that has the name is replaced in the same moment.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file or link; none is no error.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes a folder that everybody may read, where there is none. Whether there was none.
    fn make_folder(&self, path: &str) -> io::Result<bool>;

    /// Makes a symbolic link to `to`.
    fn link(&self, to: &str, path: &str) -> io::Result<()>;

    /// Where a symbolic link leads.
    fn linked(&self, path: &str) -> io::Result<String>;

    /// Free room on a folder's disk, bytes.
    fn free(&self, folder: &str) -> io::Result<u64>;

    /// Writes to what is there, such as a device; nothing where it isn't, and never waiting.
    fn poke(&self, path: &str, text: &str);

    /// Keeps other processes that ask for the same folder waiting until what comes back is closed.
    fn lock(&self, folder: &str) -> io::Result<Option<File>>;

    /// The whole of a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] where it is longer than `limit` bytes, and what reading gave.
    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }
}

/// The folder that a path lies in.
pub(crate) fn folder_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder,
        _ => "/",
    }
}

/// Makes a folder that outlasts a power cut, as does the way to it.
pub(crate) fn make_lasting_folder(disk: &dyn Disk, path: &str) -> io::Result<()> {
    if path == "/" {
        return Ok(());
    }
    if disk.make_folder(path).or_else(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(error);
        }
        make_lasting_folder(disk, folder_of(path))?;
        disk.make_folder(path)
    })? {
        disk.sync_folder(folder_of(path))?;
    }
    Ok(())
}

/// Writes a file so that a power cut leaves the old one or the new one; not at all where it says the same already, which spares
/// the card.
pub(crate) fn keep(disk: &dyn Disk, path: &str, text: &[u8], mode: u32) -> io::Result<()> {
    if disk.read(path, text.len() as u64).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    let fresh = format!("{path}.new");
    make_lasting_folder(disk, folder_of(path))?;
    let written = disk.write(&fresh, &mut &*text, mode).and_then(|_| disk.sync(&fresh));
    if let Err(error) = written {
        // Room for others; that this fails too changes nothing.
        let _ = disk.remove(&fresh);
        return Err(error);
    }
    disk.rename(&fresh, path)?;
    disk.sync_folder(folder_of(path))
}

/// The disks of a real system.
#[derive(Debug)]
pub(crate) struct System {
    root: PathBuf,
}

impl System {
    /// The system whose root is this folder.
    pub(crate) fn below(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// A path as this process has it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

impl Disk for System {
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(File::open(self.path(path))?))
    }

    fn length(&self, path: &str) -> io::Result<u64> {
        let found = fs::symlink_metadata(self.path(path))?;
        if found.is_file() { Ok(found.len()) } else { Err(io::Error::other("it is no plain file")) }
    }

    fn write(&self, path: &str, source: &mut dyn Read, mode: u32) -> io::Result<u64> {
        let path = self.path(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        let length = io::copy(source, &mut file)?;
        // Whatever the process's mask has taken away.
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(length)
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        File::open(self.path(path))?.sync_all()
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.sync(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.path(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn make_folder(&self, path: &str) -> io::Result<bool> {
        let path = self.path(path);
        match fs::create_dir(&path) {
            Ok(()) => fs::set_permissions(&path, Permissions::from_mode(0o755)).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn link(&self, to: &str, path: &str) -> io::Result<()> {
        std::os::unix::fs::symlink(to, self.path(path))
    }

    fn linked(&self, path: &str) -> io::Result<String> {
        Ok(fs::read_link(self.path(path))?.to_string_lossy().into_owned())
    }

    fn free(&self, folder: &str) -> io::Result<u64> {
        let found = rustix::fs::statvfs(self.path(folder))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn poke(&self, path: &str, text: &str) {
        // A serial line that nobody takes from must not hold a boot up.
        let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits();
        let opened = OpenOptions::new().append(true).custom_flags(flags.cast_signed()).open(self.path(path));
        // Nobody could be told that nobody can be told.
        let _ = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    }

    fn lock(&self, folder: &str) -> io::Result<Option<File>> {
        let file = File::open(self.path(folder))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        Ok(Some(file))
    }
}
