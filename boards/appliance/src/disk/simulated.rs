//! A disk that loses power: what was not made to last is lost, kept or torn, as chance has it. `/data`, `/boot` and `/usr` are on
//! the disk, all else is memory and gone with the power.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use super::{Disk, folder_of};

/// What a power cut does with what was not made to last.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// All of it is lost.
    Lost,
    /// All of it is there: only the process was ended.
    Kept,
    /// Names last, their files are empty: what a file system without barriers is known for.
    Hollow,
    /// Each name and each file as this seed has it.
    Chance(u64),
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Folder,
    File(usize),
    Link(String),
}

/// A change of names that doesn't last yet; none removes the name.
type Change = (String, Option<Node>);

#[derive(Clone, Debug, Default)]
struct Contents {
    now: Vec<u8>,
    lasting: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
struct Disks {
    names: BTreeMap<String, Node>,
    lasting: BTreeMap<String, Node>,
    /// Operations that touched names, with all of their changes: a rename is one, whole or not at all.
    pending: Vec<Vec<Change>>,
    files: Vec<Contents>,
    operations: usize,
    /// The operation at which power is cut.
    cut_at: Option<usize>,
    is_off: bool,
    /// Bytes that still fit.
    room: Option<u64>,
    read_only: bool,
}

/// The disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Simulated(RefCell<Disks>);

impl Simulated {
    /// A disk with the folders of a booted system.
    pub(crate) fn new() -> Self {
        let disk = Self::default();
        for folder in ["/data", "/boot", "/boot/firmware", "/run", "/etc", "/usr", "/usr/bin"] {
            disk.make_folder(folder).unwrap();
        }
        disk.all_lasts();
        disk.0.borrow_mut().operations = 0;
        disk
    }

    fn all_lasts(&self) {
        let mut disks = self.0.borrow_mut();
        let disks = &mut *disks;
        disks.lasting = disks.names.clone();
        disks.pending.clear();
        disks.files.iter_mut().for_each(|file| file.lasting = Some(file.now.clone()));
    }

    /// Puts a file there, lasting, as another computer would have.
    pub(crate) fn place(&self, path: &str, bytes: &[u8]) {
        super::make_lasting_folder(self, folder_of(path)).unwrap();
        self.write(path, &mut &*bytes, 0o644).unwrap();
        self.all_lasts();
    }

    /// Cuts the power with the operation of this number, counted from now.
    pub(crate) fn cut_at(&self, operation: usize) {
        let mut disks = self.0.borrow_mut();
        disks.cut_at = Some(disks.operations + operation);
    }

    /// Whether the power was cut.
    pub(crate) fn is_off(&self) -> bool {
        self.0.borrow().is_off
    }

    /// Leaves so many bytes of room.
    pub(crate) fn leave_room(&self, bytes: Option<u64>) {
        self.0.borrow_mut().room = bytes;
    }

    pub(crate) fn set_read_only(&self, read_only: bool) {
        self.0.borrow_mut().read_only = read_only;
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> usize {
        self.0.borrow().operations
    }

    /// The system after it got its power again.
    pub(crate) fn boot(&self, fate: Fate) -> Self {
        let mut seed = if let Fate::Chance(seed) = fate { seed | 1 } else { 1 };
        // xorshift64
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed >> 11
        };
        let mut disks = self.0.borrow().clone();
        for changes in std::mem::take(&mut disks.pending) {
            let happened = match fate {
                Fate::Lost => false,
                Fate::Kept | Fate::Hollow => true,
                Fate::Chance(_) => random() % 2 == 0,
            };
            for (path, node) in changes.into_iter().filter(|_| happened) {
                apply(&mut disks.lasting, path, node);
            }
        }
        for file in &mut disks.files {
            file.now = match (&file.lasting, fate) {
                (Some(lasting), Fate::Chance(_)) if random() % 2 == 0 => lasting.clone(),
                (_, Fate::Kept) => file.now.clone(),
                (lasting, Fate::Chance(_)) if lasting.as_ref() != Some(&file.now) => {
                    torn(&file.now, random(), random())
                }
                (lasting, _) => lasting.clone().unwrap_or_default(),
            };
            file.lasting = Some(file.now.clone());
        }
        // What lies in a folder that isn't there is not there either.
        let names = std::mem::take(&mut disks.lasting);
        for (path, node) in names {
            let is_on_disk =
                ["/data", "/boot", "/usr"].iter().any(|disk| path.starts_with(disk)) || node == Node::Folder;
            let folder = folder_of(&path);
            if is_on_disk && (folder == "/" || disks.lasting.get(folder) == Some(&Node::Folder)) {
                disks.lasting.insert(path, node);
            }
        }
        disks.lasting.retain(|path, _| !path.starts_with("/run/"));
        disks.names = disks.lasting.clone();
        (disks.operations, disks.cut_at, disks.is_off) = (0, None, false);
        Self(RefCell::new(disks))
    }

    /// Counts an operation; whether it is the one that doesn't end.
    fn begin(&self) -> io::Result<bool> {
        let mut disks = self.0.borrow_mut();
        if disks.is_off {
            return Err(io::Error::other("no power"));
        }
        disks.operations += 1;
        disks.is_off = disks.cut_at == Some(disks.operations);
        Ok(disks.is_off)
    }

    fn writable(&self, path: &str) -> io::Result<()> {
        let is_read_only = self.0.borrow().read_only && path.starts_with("/data");
        if is_read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }

    /// Changes names, unless power is cut.
    fn change(&self, changes: Vec<Change>) -> io::Result<()> {
        self.writable(&changes[0].0)?;
        let is_cut = self.begin()?;
        let mut disks = self.0.borrow_mut();
        // What is cut may have happened or not.
        disks.pending.push(changes.clone());
        if is_cut {
            return Err(io::Error::other("no power"));
        }
        for (path, node) in changes {
            apply(&mut disks.names, path, node);
        }
        Ok(())
    }

    fn node(&self, path: &str) -> io::Result<Node> {
        if self.is_off() {
            return Err(io::Error::other("no power"));
        }
        if path == "/" {
            return Ok(Node::Folder);
        }
        self.0.borrow().names.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file(&self, path: &str) -> io::Result<usize> {
        match self.node(path)? {
            Node::File(id) => Ok(id),
            Node::Link(to) => self.file(&to),
            Node::Folder => Err(io::ErrorKind::IsADirectory.into()),
        }
    }
}

fn apply(names: &mut BTreeMap<String, Node>, path: String, node: Option<Node>) {
    match node {
        Some(node) => names.insert(path, node),
        None => names.remove(&path),
    };
}

/// A beginning of what was written, the same length of zeros, or all of it.
fn torn(bytes: &[u8], kind: u64, place: u64) -> Vec<u8> {
    match kind % 3 {
        0 => bytes[..place as usize % (bytes.len() + 1)].to_vec(),
        1 => vec![0; bytes.len()],
        _ => bytes.to_vec(),
    }
}

impl Disk for Simulated {
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        let id = self.file(path)?;
        Ok(Box::new(io::Cursor::new(self.0.borrow().files[id].now.clone())))
    }

    fn length(&self, path: &str) -> io::Result<u64> {
        match self.node(path)? {
            Node::File(id) => Ok(self.0.borrow().files[id].now.len() as u64),
            _ => Err(io::Error::other("no plain file")),
        }
    }

    fn write(&self, path: &str, source: &mut dyn Read, _: u32) -> io::Result<u64> {
        if self.node(folder_of(path))? != Node::Folder {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes)?;
        let id = self.0.borrow().files.len();
        let room = self.0.borrow().room.filter(|_| path.starts_with("/data"));
        let is_full = room.is_some_and(|room| room < bytes.len() as u64);
        if let Some(room) = room {
            bytes.truncate(room as usize);
        }
        self.0.borrow_mut().files.push(Contents { now: bytes.clone(), lasting: None });
        self.change(vec![(path.into(), Some(Node::File(id)))])?;
        if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len() as u64) }
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        let id = self.file(path)?;
        if self.begin()? {
            return Err(io::Error::other("no power"));
        }
        let file = &mut self.0.borrow_mut().files[id];
        file.lasting = Some(file.now.clone());
        Ok(())
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        if self.node(path)? != Node::Folder {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if self.begin()? {
            return Err(io::Error::other("no power"));
        }
        let mut disks = self.0.borrow_mut();
        for changes in std::mem::take(&mut disks.pending) {
            if changes.iter().any(|(changed, _)| folder_of(changed) == path) {
                changes.into_iter().for_each(|(path, node)| apply(&mut disks.lasting, path, node));
            } else {
                disks.pending.push(changes);
            }
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let node = self.node(from)?;
        self.change(vec![(to.into(), Some(node)), (from.into(), None)])
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match self.node(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => self.change(vec![(path.into(), None)]),
        }
    }

    fn make_folder(&self, path: &str) -> io::Result<bool> {
        match self.node(path) {
            Ok(Node::Folder) => return Ok(false),
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        if folder_of(path) != "/" {
            self.node(folder_of(path))?;
        }
        self.change(vec![(path.into(), Some(Node::Folder))]).map(|()| true)
    }

    fn link(&self, to: &str, path: &str) -> io::Result<()> {
        if self.node(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(vec![(path.into(), Some(Node::Link(to.into())))])
    }

    fn linked(&self, path: &str) -> io::Result<String> {
        match self.node(path)? {
            Node::Link(to) => Ok(to),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn free(&self, _: &str) -> io::Result<u64> {
        Ok(self.0.borrow().room.unwrap_or(u64::MAX / 2))
    }

    fn poke(&self, path: &str, text: &str) {
        if let Ok(id) = self.file(path) {
            self.0.borrow_mut().files[id].now.extend_from_slice(text.as_bytes());
        }
    }

    fn lock(&self, _: &str) -> io::Result<Option<File>> {
        Ok(None)
    }
}
