//! Trace files: refused, or evaluated.
#![no_main]

use harmonynet::trace::file;
use harmonynet::trace::stages::Stages;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match file::read(data) {
        Ok((header, records)) => {
            let stages = Stages::of(&records);
            let (periods, verdicts, pictures) = stages.counts;
            assert!(periods + verdicts + pictures + stages.faults.len() <= records.len());
            let _ = format!("{header:?} {:?}", stages.load.quantile(0.5));
            // Every record that was read can be written.
            for record in &records {
                let again = harmonynet::trace::Record::decode(&record.encode());
                assert_eq!(again.ok().as_ref(), Some(record));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
