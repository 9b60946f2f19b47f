//! Settings as users of the program meet them: by file, environment and command line.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::path::Path;
use std::process::{Output, Stdio};

use harmonynet::decide::Policy;
use harmonynet::settings::{KEYS, Value};

/// Runs the program with this environment and none of the machine's own.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = clean::program();
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

/// The line of `config --print` about a key.
fn printed(output: &Output, key: &str) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    let line = stdout(output).lines().find(|line| line.starts_with(&format!("{key} =")));
    line.unwrap_or_else(|| panic!("no {key} in {}", stdout(output)))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn print_shows_the_strongest_value_and_its_origin() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        write(folder.path(), "s.toml", "board = \"pi-4\"\n[display]\nkind = \"ssd1306\"\nbrightness = 1\n");
    let print = ["config", "--print", "--config", &file];
    let environment = [("HARMONYNET_DISPLAY_BRIGHTNESS", "2")];
    let set = [&print[..], &["--set", "display.brightness=3"]].concat();
    let own = [&print[..], &["--board", "pi-3"]].concat();
    for (output, key, expected) in [
        (run(&print, &[]), "display.brightness", format!("display.brightness = 1 # {file}, line 4")),
        (
            run(&print, &environment),
            "display.brightness",
            "display.brightness = 2 # the environment, HARMONYNET_DISPLAY_BRIGHTNESS".into(),
        ),
        (run(&set, &environment), "display.brightness", "display.brightness = 3 # the command line".into()),
        (run(&own, &[]), "board", "board = \"pi-3\" # the command line".into()),
        (run(&print, &[]), "display.bus", "display.bus = \"i2c-1\" # board or part pi-4".into()),
        (
            run(&["config"], &[("HARMONYNET_CONFIG", &file)]),
            "display.kind",
            format!("display.kind = \"ssd1306\" # {file}, line 3"),
        ),
    ] {
        assert_eq!(printed(&output, key), expected);
    }
}

#[test]
fn listen_obeys_the_file_and_the_command_line_obeys_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "s.toml", "[display]\nkind = \"json\"\n[verdict]\nunsure_below = 0.0\n");
    let listen = ["listen", "--demo", "--pace", "fast", "--seconds", "6", "--config", &file];
    let json = run(&listen, &[]);
    assert!(json.status.success() && stdout(&json).starts_with('{'), "{} {}", stdout(&json), stderr(&json));
    assert!(!stdout(&json).contains("\"unsure\""), "nothing is unsure below 0: {}", stdout(&json));
    let lines = run(&[&listen[..], &["--display", "lines"]].concat(), &[]);
    assert!(lines.status.success() && !stdout(&lines).contains('{'), "{}", stdout(&lines));
    let none = run(&listen, &[("HARMONYNET_DISPLAY_KIND", "none")]);
    assert!(none.status.success() && stdout(&none).is_empty(), "{}", stdout(&none));
}

#[test]
fn check_tells_line_and_mend_and_looks_at_the_boot_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let typo = write(folder.path(), "typo.toml", "\n[display]\nbrigthness = 3\n");
    let wired = write(
        folder.path(),
        "wired.toml",
        "board = \"pi-4\"\nmicrophone.kind = \"inmp441\"\ndisplay.kind = \"ws2812\"\ndisplay.pins = [18]\n",
    );
    let oled = write(folder.path(), "oled.toml", "board = \"pi-4\"\ndisplay.kind = \"ssd1306\"\n");
    let boot = write(folder.path(), "config.txt", "dtparam=i2c_arm=on\ndtoverlay=ssd1306\n");
    for (arguments, expected) in [
        (
            vec!["config", "--check", &typo],
            "line 3: display.brigthness: there is no such key; did you mean display.brightness?",
        ),
        (vec!["config", "--check", &wired], "GPIO18 is needed by WS2812 strip and by INMP441 (I2S)"),
        (
            vec!["config", "--check", &oled, "--boot-config", &boot],
            "line 2: display.kind: the kernel's driver and ours",
        ),
        (vec!["config", "--check", "/nowhere.toml"], "/nowhere.toml: cannot be read"),
        (vec!["config", "--set", "display.brigthness=3"], "did you mean display.brightness?"),
        (vec!["listen", "--demo", "--config", &typo], "line 3: display.brigthness"),
    ] {
        let output = run(&arguments, &[]);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stdout(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
    let right = run(&["config", "--check", &oled], &[]);
    assert!(
        right.status.success() && stdout(&right).contains("nothing is wrong, for Raspberry Pi 4"),
        "{right:?}"
    );
    // The settings of this machine have no say in the judgement of another file.
    let other = run(&["config", "--check", &oled], &[("HARMONYNET_CONFIG", &typo)]);
    assert!(other.status.success(), "{}", stderr(&other));
}

/// What `config --check` finds without opening anything: addresses, paths and names of everything that tells the house.
#[cfg(all(feature = "mqtt", feature = "page"))]
#[test]
fn check_judges_addresses_topics_and_ids_before_a_device_does() {
    let folder = tempfile::tempdir().unwrap();
    let secret = write(folder.path(), "secret", "s3cret\n");
    let mqtt = |line: &str| format!("mqtt.broker = \"b\"\nmqtt.id = \"i\"\n{line}");
    let check = |text: &str| {
        let file = write(folder.path(), "s.toml", text);
        run(&["config", "--check", &file], &[])
    };
    let long = format!("/run/{}", "x".repeat(100));
    for (text, expected) in [
        (
            format!("events.socket = \"{long}\""),
            "line 1: events.socket: the path is too long for a socket; choose",
        ),
        ("events.socket = \"/run/\"".into(), "ends in no file name; write one"),
        ("metrics.address = \"9464\"".into(), "`9464` is no address with a port; write it as 127.0.0.1:9464"),
        ("metrics.address = \"localhost:9\"".into(), "names are not looked up; write 127.0.0.1:9"),
        ("metrics.address = \"127.0.0.1:0\"".into(), "nobody will know the port; name one"),
        ("page.address = \":8730\"".into(), "write 127.0.0.1:8730, or 0.0.0.0:8730 for the whole network"),
        (
            "page.address = \"127.0.0.1:99999\"".into(),
            "is no address with a port; write it as 127.0.0.1:8730",
        ),
        (
            "page.address = \"0.0.0.0:80\"\nmetrics.address = \"127.0.0.1:80\"".into(),
            "0.0.0.0:80 is taken by metrics.address already; choose another port",
        ),
        (
            format!("page.address = \"127.0.0.1:1\"\npage.token_file = \"{secret}\""),
            "`openssl rand -hex 16` prints",
        ),
        (
            "page.address = \"127.0.0.1:1\"\npage.names = [\"http://a\"]".into(),
            "`http://a` is no host name; write",
        ),
        (
            "mqtt.id = \"i\"\nmqtt.broker = \"mqtt://b\"".into(),
            "line 2: mqtt.broker: `mqtt://b` is not allowed; allowed",
        ),
        (
            "mqtt.id = \"i\"\nmqtt.broker = \"b:1883\"".into(),
            "a host name or an address alone; the rest is mqtt.port",
        ),
        (
            mqtt("mqtt.topic = \"house/#\""),
            "line 3: mqtt.topic: `house/#` is not allowed; allowed: 1 to 64 bytes",
        ),
        (mqtt("mqtt.topic = \"a//b\""), "mqtt.topic: `a//b` is not allowed"),
        (mqtt(&format!("mqtt.topic = \"{}\"", "t".repeat(65))), "is not allowed; allowed: 1 to 64 bytes"),
        (mqtt("mqtt.discovery = \"+/ha\""), "mqtt.discovery: `+/ha` is not allowed"),
        (
            "mqtt.broker = \"b\"\nmqtt.id = \"küche\"".into(),
            "mqtt.id: `küche` is not allowed; allowed: 1 to 32 of a-z",
        ),
        (
            mqtt(&format!("mqtt.ca_file = \"{secret}\"")),
            "there is no TLS that it is for; set mqtt.tls = true",
        ),
        (mqtt(&format!("mqtt.password_file = \"{secret}\"")), "a password but no user; set mqtt.user"),
    ] {
        let output = check(&text);
        assert_eq!(output.status.code(), Some(1), "{text}: {}", stdout(&output));
        assert!(stderr(&output).contains(expected), "{text}: {}", stderr(&output));
        assert!(!stderr(&output).contains("s3cret"), "{}", stderr(&output));
    }
    // What may be meant is no mistake.
    for (text, expected) in [
        ("metrics.address = \"0.0.0.0:9464\"".into(), "warning: "),
        ("metrics.address = \"[::]:9464\"".into(), "can read what is playing; 127.0.0.1:9464 keeps it on"),
        (
            "page.address = \"192.168.1.7:8730\"".into(),
            "whoever reaches 192.168.1.7:8730 sees what is playing; page.token_file",
        ),
        (
            "page.address = \"0.0.0.0:1\"\npage.token_file = \"/no/where\"".into(),
            "/no/where cannot be read by whoever",
        ),
        ("events.socket = \"events.sock\"".into(), "write the whole path"),
        (
            mqtt(&format!("mqtt.user = \"u\"\nmqtt.password_file = \"{secret}\"")),
            "cross the network in clear; set mqtt.tls",
        ),
    ] {
        let output = check(&text);
        assert!(output.status.success(), "{text}: {}", stderr(&output));
        assert!(
            stdout(&output).contains("warning: ") && stdout(&output).contains(expected),
            "{text}: {}",
            stdout(&output)
        );
    }
    let quiet = check(&mqtt(
        "events.socket = \"/run/harmonynet/events.sock\"\nmetrics.address = \"127.0.0.1:9464\"\npage.address = \"[::1]:8730\"",
    ));
    assert!(quiet.status.success() && !stdout(&quiet).contains("warning"), "{quiet:?}");
}

#[test]
fn a_running_device_goes_on_with_the_last_good_settings_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let state = state.to_str().unwrap();
    let good = "[display]\nkind = \"lines\"\n";
    let file = write(folder.path(), "s.toml", good);
    let listen =
        ["listen", "--demo", "--pace", "fast", "--seconds", "2", "--config", &file, "--state", state];
    let first = run(&listen, &[]);
    assert!(first.status.success() && !stdout(&first).contains("settings"), "{first:?}");

    write(folder.path(), "s.toml", "[display]\nkind = \"lime\"\n");
    let broken = run(&listen, &[]);
    assert!(broken.status.success(), "{}", stderr(&broken));
    assert!(stderr(&broken).contains("line 2: display.kind"), "{}", stderr(&broken));
    assert!(stderr(&broken).contains("using the last good settings"), "{}", stderr(&broken));
    // The last good display, and on it the fault.
    assert!(stdout(&broken).contains("the settings file is broken"), "{}", stdout(&broken));
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "[display]\nkind = \"lime\"\n",
        "it is never rewritten"
    );

    let here = run(&["listen", "--demo", "--config", &file], &[]);
    assert_eq!(here.status.code(), Some(1), "without a state folder it is an error: {}", stderr(&here));
}

#[test]
fn whoever_wrote_the_settings_file_can_say_that_it_is_another_than_the_persons() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "s.toml", "[display]\nkind = \"lines\"\n");
    let words = "card, line 3: display.kind\u{1b}: no such kind\nthe last good settings are used\n";
    let notice = write(folder.path(), "notice", words);
    let none = folder.path().join("none").display().to_string();
    let listen = |more: &[&str], variables: &[(&str, &str)]| {
        let line = ["listen", "--demo", "--pace", "fast", "--seconds", "2", "--config", &file];
        let output = run(&[&line[..], more].concat(), variables);
        assert!(output.status.success(), "{}", stderr(&output));
        (stdout(&output).to_string(), stderr(&output).to_string())
    };
    for (shown, told) in
        [listen(&["--notice", &notice], &[]), listen(&[], &[("HARMONYNET_NOTICE", notice.as_str())])]
    {
        assert!(shown.contains("the settings file is broken"), "{shown}");
        assert!(told.contains("card, line 3: display.kind : no such kind\nthe last good"), "{told}");
    }
    // Nothing is wrong: there is no notice.
    let (shown, told) = listen(&["--notice", &none], &[]);
    assert!(!shown.contains("settings") && !told.contains("settings"), "{shown}{told}");
}

#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    for line in ["config --example", "config --print", "model --plan", "doctor", "doctor --json", "devices"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = clean::program().args(line.split(' ')).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {}", stderr(&output));
        assert!(stderr(&output).contains("No space left"), "{line}: {}", stderr(&output));
    }
}

#[test]
fn help_comes_from_the_table() {
    let help = run(&["listen", "--help"], &[]);
    let help: String = stdout(&help).split_whitespace().collect::<Vec<_>>().join(" ");
    for key in KEYS.iter().filter(|key| key.option.is_some()) {
        assert!(help.contains(key.help), "{}: {help}", key.name);
        assert!(help.contains(&format!("[default: {}]", key.preset_text())), "{}: {help}", key.name);
    }
    // Defaults that another module has of its own are the same there.
    let silence = KEYS.iter().find(|key| key.name == "verdict.silence_dbfs").unwrap();
    assert_eq!(silence.preset_value(), Some(Value::Number(f64::from(Policy::DEFAULT.silence_dbfs))));
}

#[test]
fn boot_lines_are_printed_for_what_is_wired() {
    let wired = ["--set", "board=pi-4", "--set", "microphone.kind=inmp441", "--set", "display.kind=ws2812"];
    let lines = run(&[&["config", "--boot", "raspberry-pi-os"], &wired[..]].concat(), &[]);
    assert!(lines.status.success(), "{}", stderr(&lines));
    for line in ["dtoverlay=googlevoicehat-soundcard", "core_freq_min=500", "spidev.bufsiz=32768"] {
        assert!(stdout(&lines).lines().any(|printed| printed == line), "{line}: {}", stdout(&lines));
    }
    let image = run(&[&["config", "--boot", "image"], &wired[..]].concat(), &[]);
    assert!(image.status.success() && stdout(&image).contains("disable_splash=1"), "{}", stdout(&image));
}
