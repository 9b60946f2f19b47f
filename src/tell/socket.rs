//! The event socket's place in the file system: whose it is, who may use it, and what a process that died left behind.

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::unistd::Group;

/// Owner and group may connect.
const MODE: u32 = 0o660;
/// Longest path that a Unix socket can have on Linux: `sun_path` of unix(7) less its zero byte.
const MAX_PATH_BYTES: usize = 107;
/// What a temporary name has more than the path: a point and the longest process number (proc(5), `pid_max`).
const MAX_SUFFIX_BYTES: usize = 8;

/// Why there is no event socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketError {
    /// Its path has more than 107 bytes (with the few more that the temporary name takes).
    PathTooLong,
    /// Its path ends in no file name.
    NoName,
    /// The folder that it is to lie in doesn't exist.
    NoFolder,
    /// Another process listens there.
    InUse,
    /// Something lies there that is no socket, and is left alone.
    NoSocket,
    /// This user may not write into the folder.
    Denied,
    /// There is no such group.
    NoGroup(String),
    /// This user may not give the socket to that group.
    GroupDenied(String),
    /// The operating system answered otherwise.
    Os(ErrorKind),
}

impl core::fmt::Display for SocketError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::PathTooLong => f.write_str("the path is too long for a socket; choose one below 90 bytes"),
            Self::NoName => {
                f.write_str("the path ends in no file name; write one, such as /run/harmonynet/events.sock")
            }
            Self::NoFolder => f.write_str(
                "its folder doesn't exist; make it, or let systemd do so with RuntimeDirectory=harmonynet",
            ),
            Self::InUse => f.write_str("another process listens there; stop it, or choose another path"),
            Self::NoSocket => f.write_str("a file that is no socket lies there; move it away"),
            Self::Denied => f.write_str(
                "this user may not write into its folder; choose one of the user's own, such as /run/harmonynet",
            ),
            Self::NoGroup(group) => write!(f, "there is no group `{group}`; add it with `groupadd {group}`"),
            Self::GroupDenied(group) => {
                write!(f, "this user is not in the group `{group}`; add it with `usermod -aG {group} USER`")
            }
            Self::Os(kind) => write!(f, "{kind}"),
        }
    }
}

impl core::error::Error for SocketError {}

/// Why there can't be a socket at this path, whatever the file system says: the path is too long, or names no file.
#[must_use]
pub fn path_problem(path: &Path) -> Option<SocketError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&0) || bytes.ends_with(b"/") || path.file_name().is_none() {
        return Some(SocketError::NoName);
    }
    (bytes.len() + MAX_SUFFIX_BYTES > MAX_PATH_BYTES).then_some(SocketError::PathTooLong)
}

/// A listening socket that is removed with its owner.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Device and inode, so that only the own socket is removed.
    identity: (u64, u64),
}

impl Place {
    /// Listens at `path`, for the user and a group.
    pub(super) fn open(path: &Path, group: Option<&str>) -> Result<(UnixListener, Self), SocketError> {
        let group = group.map(gid).transpose()?;
        if let Some(error) = path_problem(path) {
            return Err(error);
        }
        clear_way(path)?;
        // With its rights before it has its name, and over a stale one without a moment in which there is none.
        let new = temporary(path);
        let listener = UnixListener::bind(&new).map_err(|error| of_io(&error))?;
        let place = Self { identity: identity(&new).ok_or(SocketError::NoFolder)?, path: new };
        std::fs::set_permissions(&place.path, std::fs::Permissions::from_mode(MODE))
            .map_err(|error| of_io(&error))?;
        if let Some((gid, name)) = group {
            chown(&place.path, None, Some(gid)).map_err(|_| SocketError::GroupDenied(name))?;
        }
        std::fs::rename(&place.path, path).map_err(|error| of_io(&error))?;
        let mut place = place;
        place.path = path.to_path_buf();
        Ok((listener, place))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if identity(&self.path) == Some(self.identity) {
            // At the end nobody is left to be told; a stale socket is cleared away at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes sure that nothing but what a dead process left lies at `path`.
fn clear_way(path: &Path) -> Result<(), SocketError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(of_io(&error)),
        Ok(there) if !there.file_type().is_socket() => Err(SocketError::NoSocket),
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(SocketError::InUse),
            Err(error) => Err(of_io(&error)),
            Ok(_) => Err(SocketError::InUse),
        },
    }
}

/// A name beside `path` that no other process takes.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(name);
    // Left by a process that had the same number.
    let _ = std::fs::remove_file(&new);
    new
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|there| (there.dev(), there.ino()))
}

fn gid(name: &str) -> Result<(u32, String), SocketError> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok((group.gid.as_raw(), name.to_string())),
        _ => Err(SocketError::NoGroup(name.into())),
    }
}

fn of_io(error: &std::io::Error) -> SocketError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => SocketError::NoFolder,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => SocketError::Denied,
        kind => SocketError::Os(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<(UnixListener, Place), SocketError> {
        Place::open(path, None)
    }

    #[test]
    fn it_has_group_rights_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.sock");
        let own = Group::from_gid(nix::unistd::getgid()).unwrap().unwrap().name;
        let (listener, place) = Place::open(&path, Some(&own)).unwrap();
        let there = std::fs::metadata(&path).unwrap();
        assert_eq!(there.permissions().mode() & 0o777, 0o660);
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary name is left");
        drop((listener, place));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a listener that died leaves its socket");
        let (_listener, first) = open(&path).unwrap();
        assert_eq!(open(&path).err(), Some(SocketError::InUse));
        // A socket that somebody else put there since is not ours to remove.
        std::fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
    }

    #[test]
    fn a_path_is_judged_without_a_file_system() {
        let problem = |path: &str| path_problem(Path::new(path));
        assert_eq!(problem("/run/harmonynet/events.sock"), None);
        assert_eq!(problem(&format!("/{}", "x".repeat(98))), None);
        assert_eq!(problem(&format!("/{}", "x".repeat(99))), Some(SocketError::PathTooLong));
        for nameless in ["/run/", "/", "..", "a\0b"] {
            assert_eq!(problem(nameless), Some(SocketError::NoName), "{nameless}");
        }
    }

    #[test]
    fn each_hindrance_is_named_and_nothing_is_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("precious");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(open(&file).err(), Some(SocketError::NoSocket));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "x");
        assert_eq!(open(&folder.path().join("no/where.sock")).err(), Some(SocketError::NoFolder));
        assert_eq!(open(&file.join("below")).err(), Some(SocketError::NoFolder));
        assert_eq!(open(&folder.path().join("x".repeat(120))).err(), Some(SocketError::PathTooLong));
        let no_group = Place::open(&folder.path().join("a"), Some("no-such-group")).err();
        assert_eq!(no_group, Some(SocketError::NoGroup("no-such-group".into())));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let denied: SocketError = of_io(&ErrorKind::PermissionDenied.into());
        assert!(denied.to_string().contains("may not write into its folder"), "{denied}");
    }
}
