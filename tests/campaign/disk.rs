//! A disk under the program that fills up, or that turns read-only, when the test says so: what `disk.c`
//! tells, built once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::common::Home;

/// No space left on device; the program sees half of the first write go through.
pub const FULL: &str = "28";
pub const READ_ONLY: &str = "30";

fn library() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let at = |end: &str| folder.join(format!("disk-{}.{end}", std::process::id()));
        let (source, built, library) = (at("c"), at("new"), folder.join("disk.so"));
        fs::write(&source, include_str!("disk.c")).expect("the folder is writable");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&built).arg(&source);
        let ran = compiler.status().expect("a C compiler is there, as for the build");
        assert!(ran.success(), "disk.c does not compile");
        // The same for every process that builds it.
        fs::rename(built, &library).and(fs::remove_file(source)).expect("the folder is writable");
        library
    })
}

fn flag(home: &Home) -> PathBuf {
    home.path("disk")
}

/// What has to be in the environment of the program.
pub fn variables(home: &Home) -> [String; 2] {
    [
        format!("LD_PRELOAD={}", library().display()),
        format!("DISK_TROUBLE={}", flag(home).display()),
    ]
}

pub fn fails_with(home: &Home, error: &str) {
    let aside = home.path("tmp").join("disk");
    fs::write(&aside, error).expect("the home is writable");
    fs::rename(aside, flag(home)).expect("the home is writable");
}

pub fn is_mended(home: &Home) {
    let _ = fs::remove_file(flag(home));
}
