//! A package's files are verified before anything parses them.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, reason = "tests report by panicking, their helpers too")]

#[path = "classify_support/packages.rs"]
mod packages;

use std::fs;

use harmonynet::classify::manifest::{Graphs, Precision};
use harmonynet::classify::package::{Package, PackageError};
use packages::{change, edit_manifest, entry};
use tempfile::TempDir;

const ONNX: &[u8] = b"not parsed in these tests";

fn package() -> TempDir {
    let int8 = Some(entry("int8.onnx", ONNX, &[0.2, 0.3, 0.5]));
    let mut manifest = packages::manifest();
    manifest.graphs = Graphs { int8, ..Graphs::default() };
    packages::write(&manifest, &[("int8.onnx", ONNX)])
}

fn opened(folder: &TempDir) -> Package {
    Package::open(folder.path()).unwrap()
}

#[test]
fn an_untouched_package_verifies() {
    let folder = package();
    let package = opened(&folder);
    package.verify().unwrap();
    assert_eq!(&*package.graph(Precision::Int8).unwrap(), ONNX);
    let golden = package.golden().unwrap();
    assert_eq!((golden.len(), golden[0][0], golden[1][3]), (166, -2000, -2000 + 131));
}

#[test]
fn a_flipped_byte_is_found() {
    for file in ["int8.onnx", "golden.i16le"] {
        let folder = package();
        change(&folder.path().join(file), |bytes| bytes[7] ^= 1);
        let error = opened(&folder).verify().unwrap_err();
        assert!(matches!(error, PackageError::Hash { .. }), "{error}");
        assert!(error.to_string().contains("sha256") && error.to_string().contains(file), "{error}");
    }
}

#[test]
fn a_truncated_and_a_longer_file_are_found() {
    let folder = package();
    let file = folder.path().join("int8.onnx");
    change(&file, |bytes| bytes.truncate(9));
    let error = opened(&folder).verify().unwrap_err().to_string();
    assert!(error.ends_with("9 bytes long, but graphs.int8.bytes is 25"), "{error}");
    change(&file, |bytes| bytes.resize(5000, 0));
    let error = opened(&folder).verify().unwrap_err().to_string();
    assert!(error.ends_with("longer than the 25 bytes of graphs.int8.bytes"), "{error}");
}

#[test]
fn missing_files_are_named() {
    let folder = package();
    fs::remove_file(folder.path().join("golden.i16le")).unwrap();
    let error = opened(&folder).verify().unwrap_err();
    assert!(error.to_string().contains("golden.file"), "{error}");
    fs::remove_file(folder.path().join("manifest.toml")).unwrap();
    let error = Package::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("manifest.toml"), "{error}");
    assert!(error.mend().contains("folder"), "{error}");
}

#[test]
fn a_graph_that_is_not_there_is_named() {
    let folder = package();
    let error = opened(&folder).graph(Precision::Float).unwrap_err();
    assert!(error.to_string().contains("graphs.float"), "{error}");
}

#[test]
fn a_wrong_manifest_names_file_line_and_field() {
    let folder = package();
    edit_manifest(folder.path(), "temperature = 1.5", "temperature = -1.5");
    let error = Package::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("manifest.toml:6: temperature is -1.5"), "{error}");
}

#[test]
fn what_is_no_manifest_is_refused() {
    let folder = package();
    let manifest = folder.path().join("manifest.toml");
    fs::write(&manifest, [0xff, 0xfe]).unwrap();
    assert!(matches!(Package::open(folder.path()), Err(PackageError::NotText { .. })));
    fs::write(&manifest, vec![b'#'; 1 << 20]).unwrap();
    assert!(matches!(Package::open(folder.path()), Err(PackageError::Oversized { .. })));
    fs::write(&manifest, "").unwrap();
    assert!(matches!(Package::open(folder.path()), Err(PackageError::Manifest { .. })));
}

#[test]
fn an_embedded_package_is_verified_alike() {
    let folder = package();
    let read = |name: &str| -> &'static [u8] { fs::read(folder.path().join(name)).unwrap().leak() };
    let files = |onnx: &'static [u8]| {
        let golden = read("golden.i16le");
        &*vec![("manifest.toml", read("manifest.toml")), ("int8.onnx", onnx), ("golden.i16le", golden)].leak()
    };
    Package::from_embedded(files(ONNX)).unwrap().verify().unwrap();
    let longer = b"not parsed in these tests, but longer";
    let error = Package::from_embedded(files(longer)).unwrap().verify().unwrap_err();
    assert!(matches!(error, PackageError::Size { stated: 25, .. }), "{error}");
    // A graph that was left out of the program is none of the package's; without any, there is nothing to run.
    let without: Vec<_> = files(ONNX).iter().filter(|(name, _)| *name != "int8.onnx").copied().collect();
    let error = Package::from_embedded(without.leak()).unwrap_err();
    assert!(error.to_string().contains("graphs is none"), "{error}");
    let error = Package::from_embedded(&[]).unwrap_err();
    assert!(error.to_string().starts_with("(built in)/manifest.toml"), "{error}");
}
