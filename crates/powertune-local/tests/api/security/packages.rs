//! Deployment packages that try to write to other folders, to be links or devices, or to fill the
//! disk.

use std::io::{Cursor, Write};

use aws_sdk_lambda::{
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{FunctionCode, Runtime},
};
use powertune_local::Settings;
use serde_json::Value;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::INVOKE;
use crate::bed::{Bed, zip_of};

/// Lists the files beside its own code, so the files of the server.
const NEIGHBOURS: &str = "
import os
def handler(event, context):
    folder = os.path.dirname(os.environ['LAMBDA_TASK_ROOT'])
    return sorted(os.path.join(place, name)
                  for place, folders, files in os.walk(folder) for name in folders + files)
";

#[tokio::test(flavor = "multi_thread")]
async fn packages_that_are_attacks_are_refused_and_leave_nothing() {
    let bed = Bed::start(Settings::default()).await;
    let code = FunctionCode::builder().zip_file(Blob::new(zip_of("app.py", NEIGHBOURS))).build();
    bed.create("f").runtime(Runtime::from("python3.11")).code(code).send().await.unwrap();
    bed.settled("f").await;
    let neighbours = async || -> Value { bed.call("POST", INVOKE, "{}").await.json() };
    // Python compiles the code in the first invocation.
    neighbours().await;
    let before = neighbours().await;
    assert!(before.as_array().is_some_and(|names| names.len() > 3), "{before}");
    let outside = bed.folder.path().join("outside");

    let attacks = attacks(outside.to_str().unwrap());
    let mut refused = 0;
    for (what, zip, message) in &attacks {
        let zip = Blob::new(zip.clone());
        let update = bed.client.update_function_code().function_name("f").zip_file(zip);
        let error = update.send().await.unwrap_err().into_service_error();
        assert!(error.is_invalid_parameter_value_exception(), "{what}: {error:?}");
        let told = error.message().unwrap_or_default();
        assert!(told.contains(message), "{what}: {told}");
        assert_eq!(neighbours().await, before, "{what}");
        assert!(!outside.exists(), "{what}");
        refused += 1;
    }
    println!("figure: zip entries refused: {refused} of {}", attacks.len());
}

const OUTSIDE: &str = "lies outside the folder";
const LINK: &str = "is a symbolic link";
const SPECIAL: &str = "is neither a file nor a folder";
const UNUSABLE: &str = "nothing can have the name of its entry";
const NO_ZIP: &str = "Please check your file";

/// The attacks, and the message of each refusal.
fn attacks(outside: &str) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let file = |name: &str| zip_of(name, "x");
    let of_kind = |kind: u16| patched(&file("file"), 40, &(kind | 0o644).to_le_bytes());
    vec![
        ("a folder up", file("../app.py"), OUTSIDE),
        ("up from a folder", file("a/../../app.py"), OUTSIDE),
        ("up and back", file("a/../app.py"), OUTSIDE),
        ("the folder above", file(".."), OUTSIDE),
        ("an absolute name", file(outside), OUTSIDE),
        ("an absolute name after slashes", file(&format!("//{outside}")), OUTSIDE),
        ("a link", with_links(&[("link", "/etc/passwd")], None), LINK),
        ("a link and a file through it", with_links(&[("a", "..")], Some("a/app.py")), LINK),
        ("links by turns", with_links(&[("a", "b"), ("b", "a")], None), LINK),
        ("a pipe", of_kind(0o010_000), SPECIAL),
        ("a character device", of_kind(0o020_000), SPECIAL),
        ("a block device", of_kind(0o060_000), SPECIAL),
        ("a socket", of_kind(0o140_000), SPECIAL),
        ("a name with NUL", file("app.py\0.txt"), UNUSABLE),
        ("a name that is too long", file(&"x".repeat(300)), UNUSABLE),
        ("the folder itself", file("."), UNUSABLE),
        ("a file in a file", of_names(&["a", "a/b"]), UNUSABLE),
        ("a file twice, by two names", of_names(&["a/b", "a/./b"]), UNUSABLE),
        ("a file twice", twice(), "several of its entries have the same name"),
        ("folders without end", file(&"a/".repeat(5_000)), "more than 100 folders deep"),
        ("a bomb that says so", declaring(262_144_001), "Unzipped size must be smaller"),
        ("a bomb that says less", understating(), NO_ZIP),
        ("half a zip file", file("file")[..40].to_vec(), NO_ZIP),
        ("no zip file", b"PK".to_vec(), NO_ZIP),
        ("an empty zip file", of_names(&[]), "non-empty zip"),
    ]
}

fn of_names(names: &[&str]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in names {
        zip.start_file(*name, SimpleFileOptions::DEFAULT).unwrap();
        zip.write_all(b"x").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Symbolic links with their targets, and then a file.
fn with_links(links: &[(&str, &str)], file: Option<&str>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (link, target) in links {
        zip.add_symlink(*link, *target, SimpleFileOptions::DEFAULT).unwrap();
    }
    if let Some(name) = file {
        zip.start_file(name, SimpleFileOptions::DEFAULT).unwrap();
        zip.write_all(b"x").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The zip writer refuses to write a name twice.
fn twice() -> Vec<u8> {
    let mut zip = of_names(&["first", "other"]);
    for at in 0..zip.len() - 5 {
        if zip[at..].starts_with(b"other") {
            zip[at..at + 5].copy_from_slice(b"first");
        }
    }
    zip
}

/// A zip file that declares this unpacked size for its one entry.
fn declaring(size: u32) -> Vec<u8> {
    patched(&zip_of("zeros", "0"), 24, &size.to_le_bytes())
}

/// A zip file that declares a megabyte as one byte.
fn understating() -> Vec<u8> {
    patched(&zip_of("zeros", &"0".repeat(1 << 20)), 24, &1_u32.to_le_bytes())
}

/// The same zip file with other bytes at an offset of the first entry in its directory.
fn patched(zip: &[u8], place: usize, with: &[u8]) -> Vec<u8> {
    let mut zip = zip.to_vec();
    let entry = zip.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    zip[entry + place..entry + place + with.len()].copy_from_slice(with);
    zip
}
