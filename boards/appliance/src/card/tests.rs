//! What editors make of a file, and what people write into it.

use proptest::prelude::*;

use super::*;
use crate::wishes::Wireless;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvYXJkcy9hcHBsaWFuY2UgdGVzdCBrZXk0 me@pc";

fn whole() -> String {
    format!(
        "[display]\nkind = \"max7219\"\n\n[appliance]\nhostname = \"kitchen\"\nwifi_name = \"Bäckerei\"\n\
         wifi_password = \"a \\\"quoted\\\" one\"\nwifi_country = \"DE\"\nssh_keys = [\"{KEY}\"]\n\
         time_zone = \"Europe/Berlin\"\n\n[microphone]\nchannel = \"mix\"\n"
    )
}

fn judged(text: &str) -> Result<Good, String> {
    judge(text, &[]).map_err(|problems| problems.to_string())
}

#[test]
fn a_file_is_the_daemons_settings_and_wishes_for_the_system() {
    let good = judged(&whole()).unwrap();
    assert_eq!(
        good.wishes,
        Wishes {
            hostname: Some("kitchen".into()),
            wireless: Some(Wireless {
                name: "Bäckerei".into(),
                password: Some("a \"quoted\" one".into()),
                country: "DE".into(),
            }),
            ssh_keys: vec![KEY.into()],
            time_zone: Some("Europe/Berlin".into()),
        }
    );
    assert!(
        !good.program.contains("quoted"),
        "the password is none of the daemon's business: {}",
        good.program
    );
    let place = |text: &str| text.lines().position(|line| line == "channel = \"mix\"").unwrap();
    assert_eq!(place(&good.program), place(&whole()), "lines keep their numbers");
    assert_eq!(judged("").unwrap(), Good::default());
    assert_eq!(judged("[appliance]\nhostname = \"\"\n").unwrap().wishes, Wishes::default());
}

/// The file on the card, with and without the `#` before its lines, and the README's example.
#[test]
fn the_shipped_file_and_the_documented_one_are_right() {
    let shipped = include_str!("../../harmonynet.toml");
    assert_eq!(judged(shipped).unwrap().wishes, Wishes::default());
    let lines = shipped
        .lines()
        .map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')).unwrap_or(line));
    let key = |text: &str| text.replace("ssh-ed25519 AAAA... you@pc", KEY);
    let all = judged(&key(&lines.collect::<Vec<_>>().join("\n"))).unwrap();
    assert!(
        all.wishes.wireless.is_some() && all.wishes.time_zone.is_some() && all.program.contains("\nkind = ")
    );
    let readme = include_str!("../../README.md");
    let example = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let documented = judged(&key(example)).unwrap();
    assert!(documented.wishes.hostname.is_some() && documented.wishes.wireless == all.wishes.wireless);
}

#[test]
fn whatever_an_editor_saves_is_the_same_text() {
    let text = whole();
    let utf16 = |number: fn(u16) -> [u8; 2], mark: [u8; 2]| {
        mark.into_iter().chain(text.encode_utf16().flat_map(number)).collect::<Vec<u8>>()
    };
    for bytes in [
        text.clone().into_bytes(),
        text.replace('\n', "\r\n").into_bytes(),
        format!("\u{feff}{text}").into_bytes(),
        utf16(u16::to_le_bytes, [0xff, 0xfe]),
        utf16(u16::to_be_bytes, [0xfe, 0xff]),
    ] {
        assert_eq!(decode(&bytes).unwrap(), text);
    }
    let told = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    let without_mark: Vec<u8> = "a = 1\nb".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(told(&without_mark).contains("UTF-8"), "{}", told(&without_mark));
    assert!(told(b"a = 1\nb\0").contains("line 2"), "{}", told(b"a = 1\nb\0"));
    assert!(
        told("name = \"B\u{e4}r\"".chars().map(|c| c as u8).collect::<Vec<_>>().as_slice()).contains("UTF-8")
    );
    for torn in [&[0xff, 0xfe, 0x41][..], &[0xff, 0xfe, 0x00, 0xd8]] {
        assert!(told(torn).contains("UTF-8"));
    }
}

#[test]
fn what_is_wrong_is_told_with_line_and_mend_and_without_passwords() {
    let key = "x".repeat(5000);
    for (text, line, wanted) in [
        ("[display]\nbrightness = 700\n", 2, "allowed"),
        ("[appliance]\nhostname = \"a\"\n[display]\nkin = \"x\"\n", 4, "display.kin"),
        ("[appliance]\nhostname = \"Kitchen!\"\n", 2, "1 to 63 letters"),
        ("[appliance]\nhostnam = \"kitchen\"\n", 2, "did you mean hostname"),
        ("[appliance]\nhostname = 7\n", 2, "quotation marks"),
        (
            "[appliance]\nwifi_name = \"x\"\nwifi_password = \"secret1\"\nwifi_country = \"DE\"\n",
            3,
            "8 to 63",
        ),
        (
            "[appliance]\nwifi_name = \"x\"\nwifi_password = \"geheimnisß\"\nwifi_country = \"DE\"\n",
            3,
            "8 to 63",
        ),
        ("[appliance]\nwifi_name = \"x\"\n", 2, "set wifi_country"),
        ("[appliance]\n\nwifi_password = \"secret1234\"\n", 3, "set wifi_name"),
        ("[appliance]\nwifi_country = \"de\"\nwifi_name = \"x\"\n", 2, "capital"),
        ("[appliance]\nssh_keys = \"ssh-ed25519 AAAA\"\n", 2, "id_ed25519.pub"),
        ("[appliance]\nssh_keys = [\"command=\\\"x\\\" ssh-ed25519 AAAA\"]\n", 2, "no public key"),
        (&format!("[appliance]\nssh_keys = [\"ssh-ed25519 {key}\"]\n"), 2, "no public key"),
        ("[appliance]\ntime_zone = \"../../etc/shadow\"\n", 2, "Europe/Berlin"),
        ("appliance.hostname = \"x\"\n", 1, "a line [appliance]"),
        ("appliance = { hostname = \"x\" }\n", 1, "a line [appliance]"),
        ("[display\n", 1, "TOML"),
        ("[a]\nx = \"\"\"\n[appliance]\n\"\"\"\n", 3, "[appliance]"),
    ] {
        let told = judged(text).unwrap_err();
        assert!(told.contains(&format!("line {line}:")) && told.contains(wanted), "{text}: {told}");
        assert!(!told.contains("secret1") && !told.contains("geheim"), "{told}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(text) = decode(&bytes) {
            let _ = judge(&text, &[]);
        }
    }

    #[test]
    fn no_change_of_a_good_file_is_too_much(at in 0_usize..400, with in ".{0,8}") {
        let mut text = whole();
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        text.insert_str(at, &with);
        if let Ok(good) = judge(&text, &[]) {
            // Whoever goes to the trouble of hiding lines from the split finds that nothing got through it.
            prop_assert!(!good.program.contains("wifi_password") || with.contains("wifi_password"));
        }
    }

    #[test]
    fn any_password_that_is_allowed_stays_on_its_line(phrase in "[ -~]{8,63}") {
        let network = Wireless { name: "x".into(), password: Some(phrase.clone()), country: "DE".into() };
        let text = crate::wireless::configuration(&network);
        prop_assert_eq!(text.lines().count(), 9);
        let line = text.lines().find(|line| line.contains("psk=")).unwrap();
        prop_assert_eq!(line, format!("\tpsk=\"{phrase}\""));
    }
}
