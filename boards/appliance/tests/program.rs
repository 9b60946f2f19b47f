//! The program itself, below a root of its own: every command, ended at random moments, and the units that start it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

#[path = "../src/package/architecture.rs"]
mod architecture;
#[path = "../src/package/made.rs"]
mod made;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use architecture::ARCHITECTURE;

/// A booted image in a folder.
struct Image(tempfile::TempDir);

impl Image {
    fn new() -> Self {
        let image = Self(tempfile::tempdir().unwrap());
        for folder in ["boot/firmware", "data", "etc", "run", "usr/bin", "dev", "usr/share/zoneinfo/Europe"] {
            fs::create_dir_all(image.path(folder)).unwrap();
        }
        image.write("usr/bin/harmonynet", "own");
        image.write("dev/console", "");
        image.write("usr/share/zoneinfo/Europe/Berlin", "");
        image
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harmonynet-appliance"));
        command.arg("--root").arg(self.0.path()).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; what it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {told}");
        told
    }

    /// A package in a file whose program is a script that says this version and then does this.
    fn package(&self, version: &str, model: &str) -> String {
        let program = format!(
            "#!/bin/sh\ncase \"$1\" in\n--version) echo harmonynet {version};;\nmodel) {model};;\nesac\n# {}",
            "x".repeat(300_000)
        );
        let file = self.path(&format!("{version}.deb"));
        fs::write(&file, made::package(&format!("{version}-1"), program.as_bytes())).unwrap();
        file.display().to_string()
    }

    /// Boots, and gives the program that the service starts: below this root, and whole.
    fn starts(&self) -> String {
        self.done(&["boot"]);
        let link = fs::read_link(self.path("run/harmonynet-appliance/program")).unwrap();
        let program = self.path(link.to_str().unwrap());
        if program.ends_with("usr/bin/harmonynet") {
            return fs::read_to_string(program).unwrap();
        }
        let output = Command::new(program).arg("--version").output().unwrap();
        text(&output.stdout).trim().into()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_update_is_installed_tried_and_kept_or_given_up() {
    let image = Image::new();
    assert_eq!(image.starts(), "own");
    let first = image.package("0.2.0", "exit 0");
    assert!(image.done(&["update", &first]).contains("harmonynet 0.2.0-1 is installed in a"));
    assert!(image.done(&["status"]).contains("a, 0.2.0-1 (new: restart the service to try it)"));
    assert!(!image.run(&["confirm", "--unheard"]).status.success(), "it does not run yet");
    assert_eq!(image.starts(), "harmonynet 0.2.0");
    assert!(image.done(&["status"]).contains("(not heard listening yet, start 1 of 3)"));
    assert!(image.done(&["confirm", "--unheard"]).contains("0.2.0-1 listens and stays"));
    let mode = fs::metadata(image.path("data/programs/a/harmonynet")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "the service's user starts it");

    image.done(&["update", &image.package("0.3.0", "exit 0")]);
    for _ in 0..3 {
        assert_eq!(image.starts(), "harmonynet 0.3.0");
    }
    assert_eq!(image.starts(), "harmonynet 0.2.0");
    let console = image.text("dev/console");
    assert!(
        console.contains("0.3.0-1, is given up: it never came up listening in 3 starts; back to a"),
        "{console}"
    );
    assert!(image.done(&["status"]).contains("failed"));
}

#[test]
fn an_update_that_does_not_run_here_is_refused() {
    let image = Image::new();
    let refused = |arguments: &[&str]| {
        let output = image.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(image.starts(), "own");
        text(&output.stderr)
    };
    let fails = image.package("0.2.0", "echo the golden window differs >&2; exit 1");
    let told = refused(&["update", &fails]);
    assert!(told.contains("`harmonynet model` fails (exit status: 1): the golden window differs"), "{told}");
    let crashes = image.package("0.2.1", "kill -ILL $$");
    assert!(refused(&["update", &crashes]).contains("signal: 4"));
    // It must not fill this process's memory either.
    let talks = image.package("0.2.2", "yes");
    assert!(refused(&["update", &talks]).contains("fails"));
    let good = image.package("0.2.3", "exit 0");
    let sum = "0".repeat(64);
    assert!(refused(&["update", &good, "--sha256", &sum]).contains("its SHA-256 is"));
    assert!(refused(&["update", "/nowhere.deb"]).contains("/nowhere.deb"));
    let renamed = image.path("other.deb");
    fs::write(&renamed, made::package("0.9.9-1", b"#!/bin/sh\necho harmonynet 0.2.0\n")).unwrap();
    assert!(refused(&["update", renamed.to_str().unwrap()]).contains("its package says 0.9.9"));
}

#[test]
fn the_cards_settings_are_obeyed_and_broken_ones_told() {
    let image = Image::new();
    let card = "boot/firmware/harmonynet.toml";
    let good = "[display]\nkind = \"max7219\"\n[appliance]\nhostname = \"kitchen\"\nwifi_name = \"net\"\r\n\
                wifi_password = \"secret1234\"\nwifi_country = \"DE\"\ntime_zone = \"Europe/Berlin\"\n";
    image.write(card, good);
    assert_eq!(image.done(&["settings"]), "");
    assert!(image.text("etc/harmonynet/harmonynet.toml").contains("kind = \"max7219\""));
    assert_eq!(image.text("etc/hostname"), "kitchen\n");
    assert_eq!(
        fs::read_link(image.path("etc/localtime")).unwrap(),
        Path::new("/usr/share/zoneinfo/Europe/Berlin")
    );
    for secret in ["etc/wpa_supplicant/wpa_supplicant-wlan0.conf", "data/settings/harmonynet.toml"] {
        assert!(image.text(secret).contains("secret1234"));
        assert_eq!(fs::metadata(image.path(secret)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    image.write(card, "[display]\nkind = \"max7912\"\n");
    let told = image.done(&["settings"]);
    assert!(told.contains("harmonynet.toml, line 2: display.kind"), "{told}");
    assert!(image.text("dev/console").contains("line 2: display.kind"));
    let notice = image.path("run/harmonynet-appliance/notice");
    assert!(fs::read_to_string(&notice).unwrap().contains("the last good settings are used"));
    assert_eq!(fs::metadata(&notice).unwrap().permissions().mode() & 0o777, 0o644);
    assert!(image.text("etc/harmonynet/harmonynet.toml").contains("max7219"));
    assert!(image.done(&["status"]).contains("the last good ones"));
    image.write(card, "[appliance]\ntime_zone = \"Mars/Olympus\"\n");
    assert!(image.done(&["settings"]).contains("there is no zone Mars/Olympus"));
}

/// Ended at a random moment again and again, update and settings leave what can be started and read.
#[test]
fn ended_at_any_moment_it_leaves_a_whole_program_and_whole_settings() {
    let image = Image::new();
    let packages = [image.package("0.2.0", "exit 0"), image.package("0.3.0", "exit 0")];
    let card = "boot/firmware/harmonynet.toml";
    let mut known = vec!["own".to_string()];
    let mut interrupted = 0;
    for round in 0..60_u64 {
        let brightness = 1 + round % 2;
        image.write(card, &format!("[display]\nbrightness = {brightness}\n"));
        let package = &packages[round as usize % 2];
        for arguments in [&["update", package.as_str()][..], &["settings"]] {
            let mut child =
                image.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(round * round * 37 % 60_000));
            let _ = child.kill();
            interrupted += u32::from(!child.wait().unwrap().success());
        }
        let program = image.starts();
        known.extend(["harmonynet 0.2.0".into(), "harmonynet 0.3.0".into()]);
        assert!(known.contains(&program), "{round}: {program}");
        // Nothing that was kept is torn.
        image.write(card, "broken");
        let told = image.done(&["settings"]);
        assert!(!told.contains("damaged"), "{told}");
        let status = image.done(&["status"]);
        assert!(!status.contains("damaged"), "{status}");
        if round % 3 == 0 {
            let _ = image.run(&["confirm", "--unheard"]);
        }
    }
    assert!((10..120).contains(&interrupted), "{interrupted} of 120 commands were interrupted");
}

/// `systemd-analyze verify`, where it is there: of the units as an image has them.
#[test]
fn the_units_are_right() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("etc/systemd/system");
    let put = |from: PathBuf, to: &str| {
        let to = units.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        // The programs are those of an image.
        let text = fs::read_to_string(from).unwrap();
        let text = ["/usr/bin/harmonynet-appliance", "/run/harmonynet-appliance/program", "/usr/sbin/sshd"]
            .iter()
            .fold(text, |text, program| text.replace(program, "/bin/true"));
        fs::write(to, text).unwrap();
    };
    let system = here.join("system");
    put(here.join("../debian/harmonynet.service"), "harmonynet.service");
    put(system.join("harmonynet.service.d-appliance.conf"), "harmonynet.service.d/appliance.conf");
    put(system.join("harmonynet-confirm.service"), "harmonynet-confirm.service");
    let names = ["harmonynet.service", "harmonynet-confirm.service"];
    let checked = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(names.map(|name| units.join(name)))
        .env("SYSTEMD_UNIT_PATH", format!("{}:", units.display()))
        .output();
    match checked {
        Err(error) => println!("skipped: no systemd-analyze here ({error})"),
        Ok(output) => {
            let told = text(&output.stderr);
            let ours: Vec<&str> = told.lines().filter(|line| line.contains("harmonynet")).collect();
            assert!(output.status.success() && ours.is_empty(), "{told}");
        }
    }
}
