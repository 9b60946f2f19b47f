//! A wireless network as `wpa_supplicant` is told about it.
//!
//! Not iwd: that talks over D-Bus alone and wants the kernel's key and hash sockets, which kernels of small images leave out;
//! `wpa_supplicant` reads one file, and is what Raspberry Pi's own system drives the same chips with.

use std::fmt::Write as _;

use crate::wishes::{Wireless, is_raw_key};

/// The file, for `wpa_supplicant.conf(5)`.
pub(crate) fn configuration(network: &Wireless) -> String {
    let mut text = format!("country={}\nupdate_config=0\nnetwork={{\n", network.country);
    // In hexadecimal: no character of a name means anything.
    text += "\tssid=";
    for byte in network.name.bytes() {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    // A network that hides its name is found, too.
    text += "\n\tscan_ssid=1\n";
    match &network.password {
        None => text += "\tkey_mgmt=NONE\n",
        Some(key) if is_raw_key(key) => {
            let _ = writeln!(text, "\tkey_mgmt=WPA-PSK WPA-PSK-SHA256\n\tieee80211w=1\n\tpsk={key}");
        }
        // The phrase reaches from the line's first quotation mark to its last, with whatever lies between.
        Some(phrase) => {
            let _ =
                writeln!(text, "\tkey_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n\tieee80211w=1\n\tpsk=\"{phrase}\"");
        }
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hexadecimal_and_phrases_lie_between_the_outer_quotation_marks() {
        let network = Wireless {
            name: "Büro \"1\"\n}".into(),
            password: Some("a\"b c\\d}#".into()),
            country: "DE".into(),
        };
        let text = configuration(&network);
        assert_eq!(
            text,
            "country=DE\nupdate_config=0\nnetwork={\n\tssid=42c3bc726f202231220a7d\n".to_string()
                + "\tscan_ssid=1\n\tkey_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n\tieee80211w=1\n\tpsk=\"a\"b c\\d}#\"\n}\n"
        );
        let open = configuration(&Wireless { password: None, ..network.clone() });
        assert!(open.contains("key_mgmt=NONE") && !open.contains("psk"), "{open}");
        let raw = configuration(&Wireless { password: Some("0".repeat(64)), ..network });
        assert!(raw.contains(&format!("psk={}\n", "0".repeat(64))) && !raw.contains("SAE"), "{raw}");
    }
}
