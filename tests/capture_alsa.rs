//! Real libasound, without a sound card: its `file` plugin over `null` plays raw samples from a file as if a microphone
//! had captured them.
//!
//! alsa-lib reads its configuration from the path in `ALSA_CONFIG_PATH`, once per process and for all threads. So each
//! test runs again in a process of its own, with its own configuration.
#![cfg(feature = "alsa")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use harmonynet::capture::{
    Access, AlsaMicrophone, AlsaOptions, CaptureError, Channel, Conditioner, Microphone, SampleFormat,
    Shared, devices, shared_devices,
};
use harmonynet::flow::Block;
use std::path::{Path, PathBuf};

const IN_CHILD: &str = "CAPTURE_ALSA_TEST_FOLDER";

/// Runs `test`, which must be the body of the test called `name`, in a process whose ALSA configuration is `config`
/// (`FOLDER` stands for a folder in which `prepare` has laid files).
fn with_config(name: &str, config: &str, prepare: impl Fn(&Path), test: impl Fn(&Path)) {
    if let Some(folder) = std::env::var_os(IN_CHILD) {
        return test(&PathBuf::from(folder));
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let config = config.replace("FOLDER", folder.path().to_str().unwrap());
    let system = "/usr/share/alsa/alsa.conf";
    let include = if Path::new(system).exists() { format!("<{system}>\n") } else { String::new() };
    let config_path = folder.path().join("asound.conf");
    std::fs::write(&config_path, include + &config).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("ALSA_CONFIG_PATH", &config_path)
        .env(IN_CHILD, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(!said.contains("ALSA lib"), "alsa-lib wrote to standard error: {said}");
}

/// Some frames in every format, all channels different; 1.5 s at 48 kHz.
fn frames(channels: u8) -> Vec<i32> {
    let samples = 72_000 * u32::from(channels);
    (0..samples).map(|n| n.wrapping_mul(2_654_435_761).rotate_left(n % 7).cast_signed() >> 2).collect()
}

fn encode(format: SampleFormat, samples: &[i32]) -> Vec<u8> {
    samples
        .iter()
        .flat_map(|sample| {
            let [a, b, c, d] = sample.to_le_bytes();
            match format {
                SampleFormat::S16Le => vec![c, d],
                // The fourth byte is undefined: anything but the sign.
                SampleFormat::S24Le => vec![b, c, d, 0x5a],
                SampleFormat::S24Packed => vec![b, c, d],
                SampleFormat::S32Le => vec![a, b, c, d],
            }
        })
        .collect()
}

/// What `format` keeps of the samples.
fn kept(format: SampleFormat, samples: &[i32]) -> Vec<i32> {
    let mut decoded = vec![0; samples.len()];
    format.decode(&encode(format, samples), &mut decoded);
    decoded
}

fn raw_name(format: SampleFormat, channels: u8) -> String {
    format!("{}_{channels}.raw", format.name())
}

/// Reads until at least `wanted` samples came.
fn read(microphone: &mut AlsaMicrophone, wanted: usize) -> Vec<i32> {
    let granted = microphone.granted();
    let mut period = vec![0; granted.period_samples()];
    let mut samples = Vec::new();
    while samples.len() < wanted {
        let reading = microphone.read(&mut period).unwrap();
        assert!(reading.frames > 0 && reading.frames <= granted.period_frames as usize);
        assert_eq!(reading.lost, 0);
        samples.extend_from_slice(&period[..reading.frames * usize::from(granted.channels)]);
    }
    samples.truncate(wanted);
    samples
}

fn blocks(rate_hz: u32, channels: u8, channel: Channel, samples: &[i32]) -> Vec<Block> {
    let mut conditioner = Conditioner::new(rate_hz, channels, channel).unwrap();
    let (mut rest, mut blocks) = (samples, Vec::new());
    while let Some(block) = conditioner.feed(&mut rest) {
        blocks.push(block.clone());
    }
    blocks
}

const CHANNELS: [u8; 4] = [1, 2, 3, 8];

#[test]
fn every_format_comes_through_sample_by_sample() {
    let pcms: String = SampleFormat::ALL
        .into_iter()
        .flat_map(|format| CHANNELS.map(|channels| raw_name(format, channels)))
        .map(|raw| {
            let name = raw.trim_end_matches(".raw");
            format!("pcm.mic_{name} {{ type file slave.pcm null file /dev/null infile FOLDER/{raw} format raw }}\n")
        })
        .collect();
    let prepare = |folder: &Path| {
        for format in SampleFormat::ALL {
            for channels in CHANNELS {
                let raw = encode(format, &frames(channels));
                std::fs::write(folder.join(raw_name(format, channels)), raw).unwrap();
            }
        }
    };
    with_config("every_format_comes_through_sample_by_sample", &pcms, prepare, |_| {
        for format in SampleFormat::ALL {
            for channels in CHANNELS {
                for mmap in [true, false] {
                    reads_exactly(format, channels, mmap);
                }
            }
        }
    });
}

fn reads_exactly(format: SampleFormat, channels: u8, mmap: bool) {
    let rates = [16_000, 22_050, 32_000, 44_100, 48_000, 96_000];
    for rate_hz in rates {
        let channel = if channels > 1 { Channel::Pick(channels - 1) } else { Channel::Mix };
        let options = AlsaOptions {
            channel,
            rate_hz: Some(rate_hz),
            channels: Some(channels),
            format: Some(format),
            mmap,
        };
        let name = format!("mic_{}_{channels}", format.name());
        let mut microphone = AlsaMicrophone::open(&name, &options).unwrap();
        let granted = microphone.granted();
        assert_eq!((granted.rate_hz, granted.channels, granted.encoding), (rate_hz, channels, format.name()));
        assert_eq!(granted.access, if mmap { Access::MemoryMapped } else { Access::ReadWrite }, "{name}");
        assert!(granted.period_frames.abs_diff(rate_hz / 50) <= 1, "{granted}");
        assert!(granted.buffer_frames >= 4 * granted.period_frames, "{granted}");
        let expected = kept(format, &frames(channels));
        let heard = read(&mut microphone, expected.len());
        let first_wrong = heard.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!(first_wrong, None, "{name} at {rate_hz} Hz, {granted}");
        assert_eq!(
            blocks(rate_hz, channels, channel, &heard),
            blocks(rate_hz, channels, channel, &expected),
            "{name} at {rate_hz} Hz"
        );
    }
}

#[test]
fn null_is_silence() {
    with_config(
        "null_is_silence",
        "pcm.quiet { type null }\n",
        |_| {},
        |_| {
            let mut microphone = AlsaMicrophone::open("quiet", &AlsaOptions::default()).unwrap();
            let granted = microphone.granted();
            // Everything is granted, so this is what is preferred.
            assert_eq!((granted.rate_hz, granted.channels, granted.encoding), (48_000, 2, "S32_LE"));
            assert_eq!((granted.period_frames, granted.buffer_frames), (960, 24_000));
            assert!(read(&mut microphone, 96_000).iter().all(|sample| *sample == 0));
        },
    );
}

#[test]
fn native_rates_are_found_and_conversion_is_the_last_resort() {
    let config = "
        pcm.usb { type plug slave { pcm null rate 44100 format S16_LE channels 1 } }
        pcm.phone { type plug slave { pcm null rate 8000 format S16_LE channels 1 } }
        pcm.array { type multi slaves.a { pcm null channels 6 }
            bindings.0 { slave a channel 0 } bindings.1 { slave a channel 1 } bindings.2 { slave a channel 2 }
            bindings.3 { slave a channel 3 } bindings.4 { slave a channel 4 } bindings.5 { slave a channel 5 } }
    ";
    with_config(
        "native_rates_are_found_and_conversion_is_the_last_resort",
        config,
        |_| {},
        |_| {
            let open = |name: &str, options: AlsaOptions| AlsaMicrophone::open(name, &options);
            let rate = |name| open(name, AlsaOptions::default()).unwrap().granted().rate_hz;
            assert_eq!(rate("usb"), 44_100, "native");
            assert_eq!(rate("phone"), 48_000, "converted, because 8 kHz cannot be resampled here");
            assert_eq!(open("array", AlsaOptions::default()).unwrap().granted().channels, 6);
            let pick = |index| AlsaOptions { channel: Channel::Pick(index), ..AlsaOptions::default() };
            assert_eq!(open("array", pick(5)).unwrap().granted().channels, 6);
            assert_eq!(open("array", pick(6)).err(), Some(CaptureError::Channels));
            let odd = AlsaOptions { rate_hz: Some(12_345), ..AlsaOptions::default() };
            assert_eq!(open("array", odd).err(), Some(CaptureError::Rate(12_345)));
        },
    );
}

#[test]
fn what_is_not_there_is_missing() {
    with_config(
        "what_is_not_there_is_missing",
        "pcm.dangling { type hw card NotThere }\n",
        |_| {},
        |_| {
            for name in ["99", "hw:99", "NoSuchMicrophone", "dangling", "usb:9-9.9", "usb:serial=none", ""] {
                let error = AlsaMicrophone::open(name, &AlsaOptions::default()).err();
                assert_eq!(error, Some(CaptureError::Missing), "{name}");
            }
        },
    );
}

#[test]
fn shared_microphones_are_listed_with_their_description() {
    let config = "pcm.room { type null hint { show on description \"The microphone\nof the room\" } }\n";
    with_config(
        "shared_microphones_are_listed_with_their_description",
        config,
        |_| {},
        |_| {
            let room = Shared { name: "room".into(), description: "The microphone, of the room".into() };
            let shared = shared_devices();
            assert!(shared.contains(&room), "{shared:?}");
            assert!(
                shared.iter().all(|pcm| !pcm.name.starts_with("hw:") && pcm.name != "null"),
                "{shared:?}"
            );
            for device in devices() {
                assert!(!device.card_id.is_empty() && device.to_string().contains(&device.pcm()));
            }
        },
    );
}
