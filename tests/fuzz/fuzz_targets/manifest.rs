//! Manifests: refused with the field that is wrong, or written down again and read as the same.
#![no_main]

use harmonynet::classify::manifest::Manifest;
use harmonynet::spec::FrontendSpec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Manifest::from_toml(text) {
        Ok(manifest) => {
            assert_eq!(manifest.labels().len(), manifest.labels.len(), "labels that were accepted fit");
            let _ = manifest.check_frontend(&FrontendSpec::SHIPPED);
            let window = manifest.window();
            assert!(window.is_ok(), "{window:?}");
            let again = manifest.to_toml().map(|text| Manifest::from_toml(&text));
            assert!(matches!(&again, Ok(Ok(same)) if *same == manifest), "{again:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
