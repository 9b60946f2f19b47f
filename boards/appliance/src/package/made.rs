//! Packages as `cargo deb` makes them, and whatever else somebody might make.

use std::io::Write as _;

use lzma_rust2::{XzOptions, XzWriter};

/// `control` of a package for this system.
pub(crate) fn control(version: &str) -> String {
    format!(
        "Package: harmonynet\nVersion: {version}\nArchitecture: {}\nDepends: libc6\n",
        super::ARCHITECTURE
    )
}

/// A package with this program.
pub(crate) fn package(version: &str, program: &[u8]) -> Vec<u8> {
    let files = [
        ("./usr/bin/harmonynet", program),
        ("./usr/share/doc/harmonynet/copyright", b"text"),
        ("./etc/harmonynet/harmonynet.toml", b""),
    ];
    of_parts(&control(version), &tar(&files))
}

/// A package of any control and any archive.
pub(crate) fn of_parts(control: &str, data: &[u8]) -> Vec<u8> {
    let control = xz(&tar(&[("./md5sums", b""), ("./control", control.as_bytes())]));
    ar(&[("debian-binary", b"2.0\n"), ("control.tar.xz", &control), ("data.tar.xz", &xz(data))])
}

pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        // Not `set_path`: that refuses what a hostile archive has.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(0o755);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        writeln!(archive, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, "100644", bytes.len()).unwrap();
        archive.extend_from_slice(bytes);
        if bytes.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    archive
}
