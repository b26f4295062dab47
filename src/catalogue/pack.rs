//! The packs inside the binary. A test compares these lists with the folders.

use super::File;

macro_rules! pack {
    ($folder:literal, $pack:literal, [$($id:literal),* $(,)?]) => {
        vec![$(File {
            name: concat!($folder, "/", $pack, "/", $id, ".toml").to_owned(),
            pack: $pack.to_owned(),
            text: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $pack, "/", $id, ".toml"
            ))
            .to_owned(),
        }),*]
    };
}

pub(super) fn checks() -> Vec<File> {
    pack!(
        "checks",
        "reliability",
        [
            "approved-without-approval",
            "asset-double-assignment",
            "hours-out-of-range",
            "orphaned-approval",
            "overlapping-assignment",
            "self-approval",
        ]
    )
}

pub(super) fn runbooks() -> Vec<File> {
    pack!(
        "runbooks",
        "reliability",
        [
            "approved-without-approval",
            "asset-double-assignment",
            "hours-out-of-range",
            "orphaned-approval",
            "overlapping-assignment",
            "self-approval",
        ]
    )
}
