//! The files of a model package, from a folder or from the program itself. No byte leaves here unverified: a file's
//! size and SHA-256 are compared with the manifest before anything parses it.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::hash::sha256;
use super::manifest::{self, Manifest, ManifestError, Precision};
use super::window::Bands;
use crate::spec::{FrontendSpec, MEL_BANDS, WindowLength};

/// Most bytes that a manifest may have.
const MAX_MANIFEST_BYTES: u64 = 64 << 10;

/// The files of a package that is part of the program: names and contents.
pub type EmbeddedFiles = &'static [(&'static str, &'static [u8])];

/// Where a package lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a folder.
    Folder(PathBuf),
    /// In the program, by `include_bytes!`.
    Embedded(EmbeddedFiles),
}

impl Source {
    /// The path of a file, as shown to people.
    fn path(&self, file: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(file),
            Self::Embedded(_) => Path::new("(built in)").join(file),
        }
    }

    /// Reads a file, but no more than one byte beyond `limit`.
    fn read(&self, file: &str, limit: u64) -> io::Result<Cow<'static, [u8]>> {
        match self {
            Self::Folder(folder) => {
                let mut bytes = vec![];
                File::open(folder.join(file))?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
            Self::Embedded(files) => files
                .iter()
                .find(|(name, _)| *name == file)
                .map(|(_, bytes)| Cow::Borrowed(*bytes))
                .ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Embedded(_) => f.write_str("(built in)"),
        }
    }
}

/// A model package whose manifest has been read and found valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    source: Source,
    manifest: Manifest,
}

impl Package {
    /// Opens the package in a folder.
    ///
    /// # Errors
    /// The manifest is missing, unreadable or wrong. The other files are not looked at before they are asked for.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, PackageError> {
        Self::from_source(Source::Folder(folder.into()))
    }

    /// Opens a package that is part of the program. Graphs whose files were left out of the program, since its engines
    /// would not run them, are none of the package's.
    ///
    /// # Errors
    /// As [`open`](Self::open); and where no graph is left.
    pub fn from_embedded(files: EmbeddedFiles) -> Result<Self, PackageError> {
        let mut package = Self::from_source(Source::Embedded(files))?;
        let graphs = &mut package.manifest.graphs;
        for graph in [&mut graphs.int8, &mut graphs.float, &mut graphs.native] {
            graph.take_if(|graph| files.iter().all(|(name, _)| *name != graph.file));
        }
        let wrong = |error| PackageError::Manifest { path: package.manifest_path(), error };
        package.manifest.validate().map_err(wrong)?;
        Ok(package)
    }

    /// Opens a package.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_source(source: Source) -> Result<Self, PackageError> {
        let path = source.path(manifest::FILE_NAME);
        let bytes = source.read(manifest::FILE_NAME, MAX_MANIFEST_BYTES).map_err(|cause| {
            PackageError::Unreadable { path: path.clone(), field: None, cause: cause.kind() }
        })?;
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(PackageError::Oversized { path, limit: MAX_MANIFEST_BYTES });
        }
        let text = str::from_utf8(&bytes).map_err(|_| PackageError::NotText { path: path.clone() })?;
        let manifest = Manifest::from_toml(text).map_err(|error| PackageError::Manifest { path, error })?;
        Ok(Self { source, manifest })
    }

    /// Where the package lies.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest's path, as shown to people.
    #[must_use]
    pub fn manifest_path(&self) -> PathBuf {
        self.source.path(manifest::FILE_NAME)
    }

    /// The path of a graph's file, as shown to people; the manifest's where there is no such graph.
    #[must_use]
    pub fn graph_path(&self, precision: Precision) -> PathBuf {
        let file = self.manifest.graph(precision).map_or(manifest::FILE_NAME, |graph| &graph.file);
        self.source.path(file)
    }

    /// How much the model judges at once.
    ///
    /// # Errors
    /// The contract's field that is wrong; none where the manifest was read from a file.
    pub fn window(&self) -> Result<WindowLength, PackageError> {
        self.manifest.window().map_err(|error| PackageError::Manifest { path: self.manifest_path(), error })
    }

    /// Checks that the model was trained with the front-end that is going to feed it.
    ///
    /// # Errors
    /// The field of the front-end that differs.
    pub fn check_frontend(&self, running: &FrontendSpec) -> Result<(), PackageError> {
        let wrong = |error| PackageError::Manifest { path: self.manifest_path(), error };
        self.manifest.check_frontend(running).map_err(wrong)
    }

    /// The verified ONNX bytes of a graph.
    ///
    /// # Errors
    /// The package has no such graph, or its file is missing or not the one that the manifest states.
    pub fn graph(&self, precision: Precision) -> Result<Cow<'static, [u8]>, PackageError> {
        let Some(graph) = self.manifest.graph(precision) else {
            return Err(PackageError::NoGraph { path: self.manifest_path(), precision });
        };
        self.verified(&format!("graphs.{precision}"), &graph.file, graph.bytes, &graph.sha256)
    }

    /// The verified bytes of the native model file.
    ///
    /// # Errors
    /// The package has no such file, or it is missing or not the one that the manifest states.
    pub fn native(&self) -> Result<Cow<'static, [u8]>, PackageError> {
        let Some(graph) = &self.manifest.graphs.native else {
            return Err(PackageError::NoNative { path: self.manifest_path() });
        };
        self.verified("graphs.native", &graph.file, graph.bytes, &graph.sha256)
    }

    /// The path of the native model file, as shown to people; the manifest's where there is no such file.
    #[must_use]
    pub fn native_path(&self) -> PathBuf {
        let file = self.manifest.graphs.native.as_ref().map_or(manifest::FILE_NAME, |graph| &graph.file);
        self.source.path(file)
    }

    /// The verified golden window, oldest frame first.
    ///
    /// # Errors
    /// The file is missing or not the one that the manifest states.
    pub fn golden(&self) -> Result<Vec<Bands>, PackageError> {
        let golden = &self.manifest.golden;
        let bytes = self.verified("golden", &golden.file, golden.bytes, &golden.sha256)?;
        let mut window = vec![[0; MEL_BANDS]; self.window()?.frames()];
        for (to, from) in window.as_flattened_mut().iter_mut().zip(bytes.as_chunks().0) {
            *to = i16::from_le_bytes(*from);
        }
        Ok(window)
    }

    /// Verifies every file that the manifest names.
    ///
    /// # Errors
    /// The first file that is missing or not the one that the manifest states.
    pub fn verify(&self) -> Result<(), PackageError> {
        for precision in Precision::ALL.into_iter().filter(|p| self.manifest.graph(*p).is_some()) {
            self.graph(precision)?;
        }
        if self.manifest.graphs.native.is_some() {
            self.native()?;
        }
        self.golden().map(drop)
    }

    fn verified(
        &self,
        field: &str,
        file: &str,
        bytes: u64,
        sha256: &str,
    ) -> Result<Cow<'static, [u8]>, PackageError> {
        let path = self.source.path(file);
        let content = self.source.read(file, bytes).map_err(|cause| PackageError::Unreadable {
            path: path.clone(),
            field: Some(format!("{field}.file")),
            cause: cause.kind(),
        })?;
        let found = content.len() as u64;
        if found != bytes {
            return Err(PackageError::Size { path, field: format!("{field}.bytes"), stated: bytes, found });
        }
        let found = sha256_hex(&content);
        if found != sha256 {
            let (field, stated) = (format!("{field}.sha256"), sha256.to_owned());
            return Err(PackageError::Hash { path, field, stated, found });
        }
        Ok(content)
    }
}

/// The SHA-256 of `bytes` as a manifest states it: 64 lower-case hexadecimal digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a package cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PackageError {
    /// A file is missing or cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The manifest's field that names it; `None` for the manifest itself.
        field: Option<String>,
        /// What the operating system says.
        cause: io::ErrorKind,
    },
    /// The manifest is far longer than any manifest.
    Oversized {
        /// The manifest.
        path: PathBuf,
        /// Most bytes allowed.
        limit: u64,
    },
    /// The manifest is not UTF-8 text.
    NotText {
        /// The manifest.
        path: PathBuf,
    },
    /// The manifest is wrong.
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        error: ManifestError,
    },
    /// The package has no graph of the precision asked for.
    NoGraph {
        /// The manifest.
        path: PathBuf,
        /// The precision.
        precision: Precision,
    },
    /// The package has no native model file.
    NoNative {
        /// The manifest.
        path: PathBuf,
    },
    /// A file has another size than stated: it is truncated, or has been replaced.
    Size {
        /// The file.
        path: PathBuf,
        /// The manifest's field.
        field: String,
        /// The size that the manifest states.
        stated: u64,
        /// The size found; for a longer file, one byte more than stated.
        found: u64,
    },
    /// A file has other contents than stated.
    Hash {
        /// The file.
        path: PathBuf,
        /// The manifest's field.
        field: String,
        /// The hash that the manifest states.
        stated: String,
        /// The hash found.
        found: String,
    },
}

impl PackageError {
    /// What a person can do about it.
    #[must_use]
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Unreadable { cause: io::ErrorKind::NotFound, .. } => {
                "name a model package's folder, one with a manifest.toml and the files that it lists"
            }
            Self::Unreadable { .. } => "check the file's permissions and the medium",
            Self::Oversized { .. } | Self::NotText { .. } => "name a model package's folder",
            Self::Manifest { .. } => "correct the manifest, or use a package made for this version",
            Self::NoNative { .. } => "choose the tract engine, or make the package again with `quantize`",
            Self::NoGraph { .. } => "choose the other precision, or a package that has this one",
            Self::Size { .. } | Self::Hash { .. } => {
                "copy the package again, or make it again with `quantize`"
            }
        }
    }
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, field, cause } => {
                write!(f, "{}: {cause}", path.display())?;
                field.as_ref().map_or(Ok(()), |field| write!(f, " (named by {field})"))
            }
            Self::Oversized { path, limit } => {
                write!(f, "{}: longer than {limit} bytes, which no manifest is", path.display())
            }
            Self::NotText { path } => write!(f, "{}: not UTF-8 text", path.display()),
            Self::Manifest { path, error: ManifestError { line: Some(line), wrong } } => {
                write!(f, "{}:{line}: {wrong}", path.display())
            }
            Self::Manifest { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NoGraph { path, precision } => {
                write!(f, "{}: graphs.{precision} is missing: there is no {precision} graph", path.display())
            }
            Self::NoNative { path } => {
                write!(f, "{}: graphs.native is missing: there is no native model", path.display())
            }
            Self::Size { path, field, stated, found } if found > stated => {
                write!(f, "{}: longer than the {stated} bytes of {field}", path.display())
            }
            Self::Size { path, field, stated, found } => {
                write!(f, "{}: {found} bytes long, but {field} is {stated}", path.display())
            }
            Self::Hash { path, field, stated, found } => {
                write!(f, "{}: its SHA-256 is {found}, but {field} is {stated}", path.display())
            }
        }
    }
}

impl core::error::Error for PackageError {}
