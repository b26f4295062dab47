//! stub
use crate::dialect::Dialect;
use std::path::PathBuf;
#[derive(Debug, Clone)]
pub struct TargetUrl {
    pub dialect: Dialect,
    pub path: PathBuf,
}
#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    pub url: TargetUrl,
    pub fingerprint: Option<String>,
}
