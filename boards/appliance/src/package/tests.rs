//! Packages of ours, of others, torn ones, and hostile ones.

use proptest::prelude::*;

use super::made::{ar, control, of_parts, package, tar, xz};
use super::*;

/// What is taken of a package.
fn taken(bytes: &[u8]) -> Result<(String, Vec<u8>), String> {
    let mut take = |_: &Control, length: u64, bytes: &mut dyn Read| {
        let mut program = Vec::new();
        bytes.take(length).read_to_end(&mut program).map_err(Refused::Disk)?;
        Ok(program)
    };
    read(&mut &*bytes, &mut take)
        .map(|(control, program)| (control.version, program))
        .map_err(|why| why.to_string())
}

#[test]
fn a_package_gives_its_program() {
    for program in [&b"odd"[..], b"even", &[7; 100_000]] {
        assert_eq!(taken(&package("0.2.0-1", program)).unwrap(), ("0.2.0-1".into(), program.to_vec()));
    }
}

/// What Debian's own tool makes, where it is there.
#[test]
fn a_package_of_debians_own_tool_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("DEBIAN")).unwrap();
    std::fs::create_dir_all(root.join("usr/bin")).unwrap();
    let more = "Maintainer: Nobody <nobody@localhost>\nDescription: a test\n";
    std::fs::write(root.join("DEBIAN/control"), control("0.3.0-1") + more).unwrap();
    std::fs::write(root.join("usr/bin/harmonynet"), b"program").unwrap();
    let file = folder.path().join("made.deb");
    let built =
        std::process::Command::new("dpkg-deb").args(["-Zxz", "--build"]).arg(&root).arg(&file).output();
    match built {
        Ok(output) if output.status.success() => {
            let package = std::fs::read(file).unwrap();
            assert_eq!(taken(&package).unwrap(), ("0.3.0-1".into(), b"program".to_vec()));
        }
        other => println!("skipped: no dpkg-deb that builds here ({other:?})"),
    }
}

#[test]
fn a_package_that_is_cut_anywhere_is_refused() {
    let whole = package("0.2.0-1", &[1, 2, 3, 4, 5]);
    for length in 0..whole.len() - 1 {
        // The last byte is padding.
        assert!(taken(&whole[..length]).is_err(), "{length} of {}", whole.len());
    }
}

#[test]
fn what_is_not_ours_or_not_for_this_system_is_refused() {
    let data = tar(&[("./usr/bin/harmonynet", b"x")]);
    let other =
        |from: &str, to: &str| taken(&of_parts(&control("1-1").replace(from, to), &data)).unwrap_err();
    assert!(other("harmonynet", "coreutils").contains("its name is coreutils"));
    assert!(other(ARCHITECTURE, "m68k").contains("it is for m68k; this system needs"));
    assert!(other("1-1", "1;\x1b[31m").contains("version"));
    assert!(other("Version", "Vision").contains("no Version"));
    assert!(
        taken(&of_parts(&control("1-1"), &tar(&[]))).unwrap_err().contains("there is no usr/bin/harmonynet")
    );
    assert!(taken(b"PK\x03\x04 something else").unwrap_err().contains("no whole Debian package"));
    let binary: (&str, &[u8]) = ("debian-binary", b"2.0\n");
    for members in [&[binary][..], &[binary, ("data.tar.xz", b"")], &[("debian-binary", b"3.0\n"), binary]] {
        assert!(taken(&ar(members)).unwrap_err().contains("no whole Debian package"));
    }
}

#[test]
fn hostile_packages_write_nothing_and_take_no_memory() {
    let control = control("1-1");
    let evil: &[u8] = b"evil";
    for path in [
        "../../usr/bin/harmonynet",
        "/usr/bin/harmonynet",
        "usr/bin/../bin/harmonynet",
        "usr/bin/harmonynet/x",
    ] {
        let told = taken(&of_parts(&control, &tar(&[(path, evil)]))).unwrap_err();
        assert!(told.contains("there is no"), "{path}: {told}");
    }
    let twice = tar(&[("./usr/bin/harmonynet", b"x"), ("usr/bin/harmonynet", b"y")]);
    assert!(taken(&of_parts(&control, &twice)).unwrap_err().contains("two programs"));

    for kind in
        [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Block, tar::EntryType::GNULongName]
    {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_path("usr/bin/harmonynet").unwrap();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_link_name("/etc/shadow").unwrap();
        header.set_cksum();
        archive.append(&header, io::empty()).unwrap();
        assert!(
            taken(&of_parts(&control, &archive.into_inner().unwrap())).unwrap_err().contains("there is no")
        );
    }

    // A length that is a lie, of the program and of a name that a library would gather.
    for (kind, length) in [(tar::EntryType::Regular, 1 << 40), (tar::EntryType::GNULongName, 1 << 32)] {
        let mut header = tar::Header::new_gnu();
        header.set_path("usr/bin/harmonynet").unwrap();
        header.set_entry_type(kind);
        header.set_size(length);
        header.set_cksum();
        assert!(taken(&of_parts(&control, header.as_bytes())).is_err());
    }
    // Half a gigabyte of zeros in a few kilobytes.
    let mut bomb = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    io::copy(&mut io::repeat(0).take(LARGEST_CONTENTS + 4096), &mut bomb).unwrap();
    let bomb = bomb.finish().unwrap();
    let data: [(&str, &[u8]); 3] = [
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", &xz(&tar(&[("control", control.as_bytes())]))),
        ("data.tar.xz", &bomb),
    ];
    assert!(taken(&ar(&data)).unwrap_err().contains("larger"));
    // Names and lengths of the outer shell that libraries believe.
    for header in ["#1/9999999999999", "//", "debian-binary"] {
        let mut archive = b"!<arch>\n".to_vec();
        archive.extend(
            format!("{header:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 0, 9_999_999_999_u64).bytes(),
        );
        assert!(taken(&archive).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = taken(&bytes);
        let _ = taken(&[b"!<arch>\n".to_vec(), bytes].concat());
    }

    #[test]
    fn a_changed_package_is_refused_or_gives_the_same_program(at in 0_usize..2000, to in any::<u8>()) {
        let mut bytes = package("0.2.0-1", b"program");
        let at = at % bytes.len();
        bytes[at] = to;
        if let Ok((_, program)) = taken(&bytes) {
            prop_assert_eq!(program, b"program");
        }
    }

    #[test]
    fn no_archive_within_is_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
        let _ = taken(&of_parts(&control("1-1"), &bytes));
        prop_assert!(contents(&*bytes, &mut |_, _, _| Ok(())).is_err());
    }
}
