//! `steadyhand config`: every setting with where it comes from.

use super::Out;
use crate::config::Config;
use crate::exit::Exit;
use crate::problem::Problem;
use crate::report::text;

pub fn run(config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let rows = config.lines().into_iter().map(|(key, value, origin)| vec![key, value, origin]);
    out.put(&text::columns(&["setting", "value", "from"], rows))?;
    Ok(Exit::Clear)
}
