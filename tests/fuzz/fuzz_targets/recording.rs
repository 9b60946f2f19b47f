//! Recordings: WAV, FLAC, MP3 and Ogg Vorbis, from a pipe and from a file, through the conditioner to blocks whose times add up.
//! The first byte says which; the rest is the recording.
#![no_main]

use std::io::{Cursor, Seek as _, Write as _};
use std::sync::{LazyLock, Mutex};

use harmonynet::capture::{Channel, Conditioner, FileMicrophone, Microphone};
use libfuzzer_sys::fuzz_target;

/// A minute of sound and more is in no input of this size, unless it says so.
const READS: usize = 2000;

static PLACE: LazyLock<Mutex<(std::path::PathBuf, std::fs::File)>> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("harmonynet-fuzz-{}", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    Mutex::new((path, file))
});

fn hear(mut microphone: FileMicrophone) {
    let granted = microphone.granted();
    assert!((1..=8).contains(&granted.channels) && granted.rate_hz > 0, "{granted:?}");
    let Ok(mut conditioner) = Conditioner::new(granted.rate_hz, granted.channels, Channel::Mix) else {
        panic!("{granted:?} was granted");
    };
    let mut period = vec![0; granted.period_samples().max(usize::from(granted.channels))];
    let mut next = 0;
    for _ in 0..READS {
        let Ok(reading) = microphone.read(&mut period) else { return };
        conditioner.lose_frames(reading.lost.min(1 << 40));
        let mut rest = &period[..reading.frames * usize::from(granted.channels)];
        while let Some(block) = conditioner.feed(&mut rest) {
            assert_eq!(block.start, next + block.lost);
            next = block.start + block.samples.len() as u64;
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, recording)) = data.split_first() else { return };
    if how & 1 == 0 {
        if let Ok(microphone) = FileMicrophone::from_reader(Cursor::new(recording.to_vec())) {
            hear(microphone);
        }
        return;
    }
    let (path, file) = &mut *PLACE.lock().unwrap();
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(recording));
    written.unwrap();
    if let Ok(microphone) = FileMicrophone::open(path) {
        hear(microphone);
    }
});
