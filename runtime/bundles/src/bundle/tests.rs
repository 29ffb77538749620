//! Bundles of the fixture's models: packed, signed, parsed, and corrupted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::error::ErrorKind;
use bloodseg_vision::error;
use proptest::prelude::*;

use super::{accept::accept, key::SecretKey, signature::Keys, *};
use bloodseg_tiny_models as fixture;

fn bundle(validation: Option<&str>) -> Vec<u8> {
    let [(ssr_text, ssr), (unet_text, unet)] = [fixture::ssr(), fixture::unet()].map(|draft| fixture::files(&draft));
    pack([ssr_text.as_bytes(), &ssr, unet_text.as_bytes(), &unet], validation.map(str::as_bytes)).unwrap()
}

fn trusted(key: &SecretKey) -> Keys {
    let mut keys = Keys::default();
    keys.add(&key.public_line(), "test").unwrap();
    keys
}

fn refusal(bytes: &[u8]) -> String {
    let error = parse(bytes, "test").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Bundle | ErrorKind::Vision(error::ErrorKind::Model)), "{error}");
    error.to_string()
}

#[test]
fn pack_and_parse_round_trip() {
    let members = [b"a".as_slice(), b"", b"cde", b"f"];
    for (validation, version, table_bytes) in [(None, 1, 4 * 24), (Some(b"gh".as_slice()), 2, 5 * 24)] {
        let bytes = pack(members, validation).unwrap();
        assert_eq!(bytes.len(), 16 + table_bytes + 5 + validation.map_or(0, <[u8]>::len) + 32);
        assert_eq!(bytes[8..12], [version, 0, 0, 0]);
        assert_eq!(parse(&bytes, "test").unwrap(), Bundle { members, validation });
        assert_eq!(bytes, pack(members, validation).unwrap());
    }
    for validation in [None, Some("{}")] {
        let contents = parse(&bundle(validation), "test").unwrap().contents("test").unwrap();
        let Models { ssr, unet } = &contents.models;
        assert_eq!((ssr.manifest.name.as_str(), unet.manifest.name.as_str()), ("ssr", "unet"));
        assert_eq!(contents.validation.as_deref(), validation);
    }
}

#[test]
fn rejects_flipped_bytes_and_wrong_lengths_without_signature() {
    for mut bytes in [bundle(None), bundle(Some("{}"))] {
        for at in 0..bytes.len() {
            bytes[at] ^= 1 << (at % 8);
            parse(&bytes, "test").unwrap_err();
            bytes[at] ^= 1 << (at % 8);
            parse(&bytes[..at], "test").unwrap_err();
        }
        refusal(&[bytes.clone(), vec![0]].concat());
        refusal(&[bytes.clone(), bytes.clone()].concat());
        parse(&bytes, "test").unwrap();
    }
}

#[test]
fn malformed_bundle_is_rejected_with_reason() {
    // Fix the hash at the end, so that the test reaches the rule itself.
    let changed = |validation: Option<&[u8]>, at: usize, new: &[u8]| {
        let mut bytes = pack([b"a", b"b", b"c", b"d"], validation).unwrap();
        bytes[at..at + new.len()].copy_from_slice(new);
        let whole = bytes.len() - HASH_BYTES;
        let hash = Sha256::digest(&bytes[..whole]);
        bytes[whole..].copy_from_slice(&hash);
        refusal(&bytes)
    };
    let with = |at: usize, new: &[u8]| changed(None, at, new);
    assert!(with(0, b"B").contains("not a bundle"));
    assert!(with(8, &[3]).contains("version 3"));
    // Each version has its members.
    assert!(with(8, &[2]).contains("4 members; expected 5"));
    let with_validation = |at: usize, new: &[u8]| changed(Some(b"e"), at, new);
    assert!(with_validation(8, &[1]).contains("5 members; expected 4"));
    assert!(with_validation(16 + 4 * ENTRY_BYTES, b"validations.jso").contains("expected validation.json"));
    assert!(with_validation(32 + 4 * ENTRY_BYTES, &[0]).contains("after the last"));
    assert!(with(12, &[3]).contains("3 members"));
    assert!(with(16, b"../etc/passwd").contains("passwd"));
    assert!(with(16 + ENTRY_BYTES, b"ssr.toml").contains("expected ssr.onnx"));
    assert!(with(31, &[1]).contains("member named"));
    assert!(with(32, &[0]).contains("after the last"));
    assert!(with(32, &[9]).contains("cut off"));
    assert!(with(32, &u64::MAX.to_le_bytes()).contains("at most"));
    assert!(with(32, &(MAX_TEXT_BYTES + 1).to_le_bytes()).contains("at most"));
    let large = vec![0; MAX_TEXT_BYTES as usize + 1];
    assert!(pack([&large, b"", b"", b""], None).unwrap_err().to_string().contains("ssr.toml"));
    assert!(pack([b"", b"", b"", b""], Some(&large)).unwrap_err().to_string().contains("validation.json"));
}

#[test]
fn rejects_mismatched_or_invalid_members() {
    let [(ssr_text, ssr), (unet_text, unet)] = [fixture::ssr(), fixture::unet()].map(|draft| fixture::files(&draft));
    let (ssr_text, unet_text) = (ssr_text.as_bytes(), unet_text.as_bytes());
    for members in [
        [unet_text, unet.as_slice(), ssr_text, ssr.as_slice()],
        [ssr_text, &unet, unet_text, &ssr],
        [ssr_text, &ssr, ssr_text, &ssr],
        [b"\xff", &ssr, unet_text, &unet],
        [b"", &[], b"", &[]],
    ] {
        parse(&pack(members, None).unwrap(), "test").unwrap().contents("test").unwrap_err();
    }
    let members = [ssr_text, &ssr, unet_text, &unet];
    parse(&pack(members, Some(b"\xff")).unwrap(), "test").unwrap().contents("test").unwrap_err();
}

#[test]
fn signature_is_valid_only_for_its_bundle_and_key() {
    let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let bytes = bundle(None);
    let text = key.sign(&bytes, "a\n.bloodseg");
    assert_eq!(trusted(&key).verify(&bytes, &text, "test").unwrap(), key.id());
    assert!(text.contains("file:a.bloodseg"));
    let mut both = trusted(&other);
    both.add(&key.public_text(), "test").unwrap();
    assert_eq!(both.verify(&bytes, &text, "test").unwrap(), key.id());

    let refusal = |keys: &Keys, bytes: &[u8], text: &str| keys.verify(bytes, text, "test").unwrap_err().to_string();
    assert!(refusal(&trusted(&other), &bytes, &text).contains("not among the trusted"));
    assert!(refusal(&Keys::default(), &bytes, &text).contains("no trusted keys"));
    assert!(refusal(&trusted(&key), b"other", &text).contains("invalid signature"));
    assert!(refusal(&trusted(&key), &bytes, "").contains("cannot be read"));
    // A matching id is not enough.
    let mut forged = SecretKey::generate().unwrap().sign(&bytes, "x");
    let line = text.lines().nth(1).unwrap();
    forged = forged.replace(&forged.lines().nth(1).unwrap()[..14].to_owned(), &line[..14]);
    assert!(trusted(&key).verify(&bytes, &forged, "test").is_err());
}

#[test]
fn unsigned_flag_does_not_accept_invalid_trusted_signature() {
    let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let bytes = bundle(None);
    let take = |signature: Option<String>, unsigned| accept(bytes.clone(), signature, &trusted(&key), unsigned, "test");
    let good = key.sign(&bytes, "x");
    assert_eq!(take(Some(good.clone()), true).unwrap().key_id, Some(key.id()));
    for signature in [None, Some(other.sign(&bytes, "x")), Some("damaged".into())] {
        let taken = take(signature.clone(), true).unwrap();
        assert!(taken.key_id.is_none() && taken.signature.is_none());
        take(signature, false).unwrap_err();
    }
    let of_another_bundle = key.sign(b"other", "x");
    assert!(take(Some(of_another_bundle), true).unwrap_err().to_string().contains("invalid signature"));
}

#[test]
fn changed_bundle_or_signature_bytes_fail_verification() {
    let key = SecretKey::generate().unwrap();
    let keys = trusted(&key);
    let bytes = bundle(None);
    let text = key.sign(&bytes, "x");
    // Only the signature, without the hash at the end of the bundle: one byte in each part of it.
    for at in (0..bytes.len()).step_by(97).chain(bytes.len() - HASH_BYTES..bytes.len()) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        keys.verify(&changed, &text, "test").unwrap_err();
    }
    let comment = text.find('\n').unwrap();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1 << bit;
            let held = String::from_utf8(changed).is_ok_and(|text| keys.verify(&bytes, &text, "test").is_ok());
            // The untrusted comment and the end of the last line are not covered.
            let may_hold = ("untrusted comment: ".len()..comment).contains(&at) || at + 1 == text.len();
            assert!(!held || may_hold, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn key_file_round_trips_and_damaged_key_is_rejected() {
    let key = SecretKey::generate().unwrap();
    let again = SecretKey::parse(&key.to_text(), "test").unwrap();
    assert_eq!((again.public_text(), again.sign(b"x", "y")), (key.public_text(), key.sign(b"x", "y")));
    assert!(!format!("{key:?}").contains(key.to_text().lines().nth(1).unwrap()));
    // Without a checksum, as minisign writes it.
    let text = "untrusted comment: minisign encrypted secret key\n\
        RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAZwb+5KZ3RoQaH0MibF5DwEr4jhz5pZTaBCy+\
        bPYGt4D93TJdokF7yUY5uIcjRJyXVBgWjO9heoIx/ea3iqjXmyDhfZyWMABBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let of_tool = SecretKey::parse(text, "test").unwrap();
    assert_eq!(of_tool.id().to_string(), "844677A6E4FE0667");
    assert_eq!(of_tool.public_line(), "RWRnBv7kpndGhEY5uIcjRJyXVBgWjO9heoIx/ea3iqjXmyDhfZyWMABB");
    let refusal = |text: &str| SecretKey::parse(text, "test").unwrap_err().to_string();
    assert!(refusal("").contains("not a key"));
    assert!(refusal(&key.public_text()).contains("truncated"));
    assert!(refusal(&text.replace("RWQAAEIy", "RWRTY0Iy")).contains("password"));
    assert!(refusal(&text.replace("bPYGt4D9", "bPYGt4D8")).contains("do not match"));
    for text in ["", "x", "RWQ", &key.to_text(), &format!("{0}\n{0}", key.public_line())] {
        assert_eq!(Keys::default().add(text, "test").unwrap_err().kind(), ErrorKind::Key);
    }
}

proptest! {
    #[test]
    fn parsers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        let _ = parse(&bytes, "test");
        let _ = parse(&[MAGIC.to_vec(), bytes.clone()].concat(), "test");
        let _ = SecretKey::parse(&text, "test");
        let _ = Keys::default().add(&text, "test");
        let _ = trusted(&SecretKey::generate().unwrap()).verify(&bytes, &text, "test");
    }
}
