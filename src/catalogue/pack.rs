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
            "operations",
            [
                "collation-version",
                "connection-saturation",
                "database-size",
                "enum-missing",
                "extension-missing",
                "foreign-owner",
                "free-pages",
                "inactive-replication-slot",
                "job-overdue",
                "job-switched-off",
                "log-archive-off",
                "migration-unfinished",
                "partition-age",
                "partition-ahead",
                "partition-rest-rows",
                "replication-lag",
                "sequence-behind",
                "stale-statistics",
                "table-missing",
                "transaction-id-age",
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
        pack!(
            "checks",
            "resilience",
            [
                "audit-clock-backwards",
                "audit-number-gap",
                "backup-age",
                "backup-failed",
                "backup-shrunk",
                "backup-without-proof",
                "credential-cross-tenant",
                "credential-duplicate",
                "credential-without-tenant",
                "definer-search-path",
                "open-policy",
                "public-may-write",
                "recovery-point",
                "recovery-time",
                "restore-test-age",
                "tenant-rls-missing",
            ]
        ),
    ];
    packs.into_iter().flatten().collect()
}

pub(super) fn runbooks() -> Vec<File> {
    let packs = [
        pack!("runbooks", "commerce", ["order-total-drift", "stock-drift", "summary-drift",]),
        pack!("runbooks", "integrity", ["lock-storm", "orphans", "schema-drift",]),
        pack!(
            "runbooks",
            "operations",
            [
                "connection-exhaustion",
                "corruption",
                "failed-migration",
                "partition-missing",
                "performance-degradation",
                "restore-from-backup",
            ]
        ),
        pack!(
            "runbooks",
            "reliability",
            [
                "approved-without-approval",
                "asset-double-assignment",
                "deployment-regression",
                "hours-out-of-range",
                "monitoring-blind-spot",
                "orphaned-approval",
                "overlapping-assignment",
                "partial-commit",
                "self-approval",
            ]
        ),
        pack!("runbooks", "resilience", ["backup-drill", "cross-tenant-leak", "missed-rpo",]),
    ];
    packs.into_iter().flatten().collect()
}
