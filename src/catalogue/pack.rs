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
    let packs = [
        pack!(
            "checks",
            "commerce",
            [
                "category-cycle",
                "customer-totals-drift",
                "daily-sales-drift",
                "deleted-customer-order",
                "duplicate-customer",
                "duplicate-payment",
                "movement-without-source",
                "negative-stock",
                "order-currency-mix",
                "order-illegal-state",
                "order-line-total",
                "order-number-gap",
                "order-payment-mismatch",
                "order-state-dates",
                "order-subtotal-drift",
                "order-total-arithmetic",
                "order-without-lines",
                "reservation-drift",
                "reservation-over-stock",
                "shipped-without-movement",
                "stock-movement-drift",
            ]
        ),
        pack!(
            "checks",
            "integrity",
            [
                "audit-trigger-missing",
                "broken-foreign-key",
                "critical-index-missing",
                "cross-tenant-order",
                "dead-rows",
                "deadlocks",
                "disabled-trigger",
                "duplicate-index",
                "file-corruption",
                "foreign-key-without-index",
                "id-exhaustion",
                "invalid-index",
                "lock-waits",
                "long-transaction",
                "malformed-email",
                "non-transactional-table",
                "orphan-order-customer",
                "orphan-order-line",
                "orphan-payment",
                "required-column-missing",
                "required-foreign-key-missing",
                "slow-query",
                "table-without-primary-key",
                "unknown-tenant",
                "unvalidated-constraint",
            ]
        ),
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
        ),
    ];
    packs.into_iter().flatten().collect()
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
