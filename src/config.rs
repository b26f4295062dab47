//! stub
use crate::dialect::Dialect;
use crate::problem::Problem;
use std::path::PathBuf;
#[derive(Debug, Clone)]
pub struct TargetUrl { pub dialect: Dialect, pub path: PathBuf }
impl std::fmt::Display for TargetUrl { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "sqlite:{}", self.path.display()) } }
#[derive(Debug, Clone, Copy)]
pub enum Environment { Production, Staging, Development }
impl Environment { pub fn word(self) -> &'static str { match self { Self::Production => "production", Self::Staging => "staging", Self::Development => "development" } } }
#[derive(Debug, Clone)]
pub struct Target { pub name: String, pub url: TargetUrl, pub environment: Environment, pub fingerprint: Option<String> }
impl Target {
    pub fn seen(name: &str, url: &str, environment: &str) -> Result<Self, Problem> {
        let path = url.strip_prefix("sqlite:").ok_or_else(|| Problem::usage("x"))?;
        let environment = match environment { "production" => Environment::Production, "staging" => Environment::Staging, _ => Environment::Development };
        Ok(Self { name: name.into(), url: TargetUrl { dialect: Dialect::Sqlite, path: path.into() }, environment, fingerprint: None })
    }
}
